"""Scores of kinds of sentences: the sentences of a test set in named buckets, each scored by itself."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence

from stageformer.scoring.report import Translations
from stageformer.scoring.settings import Settings

COLUMNS = ("sentences", "bleu", "chrf", "exact_match")


def rows_by_bucket(buckets: Sequence[str]) -> dict[str, list[int]]:
    """Return the places at which each bucket stands, the buckets in the order of their names."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, bucket in enumerate(buckets):
        rows[bucket].append(row)
    return dict(sorted(rows.items()))


def by_bucket(column: str, buckets: Sequence[str], translations: Translations, settings: Settings) -> str:
    """Score the translations by beam search of each bucket together.

    Args:
        column: name of the column of buckets.
        buckets: of each sentence; the names sort as they shall stand.
        translations: all sentences.
        settings: what kind of scores.

    Returns:
        A table in CSV with the columns ``column`` and ``COLUMNS``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([column, *COLUMNS])
    for name, rows in rows_by_bucket(buckets).items():
        scorer = settings.scorer([translations.references[row] for row in rows])
        scores = scorer.brief([translations.beam[row] for row in rows])
        table.writerow([name, len(rows), scores["bleu"], scores["chrf"], scores["exact_match"]])
    return text.getvalue()
