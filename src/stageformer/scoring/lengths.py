"""Scores by the length of the source."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Sequence

from stageformer.scoring.metrics import Scorer
from stageformer.scoring.report import Translations

UPPER_BOUNDS = (1, 2, 4, 8, 16, 32, 64)
COLUMNS = ("source_words", "sentences", "bleu", "chrf", "exact_match")


def bucket_of(source: str) -> str:
    """Return the name of the bucket of a source: its number of words (by white space) in ranges of powers of two.

    Words, not tokens: so that scores of models with other tokenizers can be laid side by side.
    """
    words = max(1, len(source.split()))
    lower = 1
    for upper in UPPER_BOUNDS:
        if words <= upper:
            # Two digits, so that the names sort as the numbers do.
            return f"{lower:02d}" if lower == upper else f"{lower:02d}-{upper:02d}"
        lower = upper + 1
    return f"{lower}+"


def by_length(translations: Translations, new_scorer: Callable[[Sequence[Sequence[str]]], Scorer]) -> str:
    """Score the translations by beam search of each bucket together.

    Args:
        translations: all sentences
        new_scorer: makes a scorer for the references of some sentences

    Returns:
        A table in CSV with the columns ``COLUMNS``, short sources first.
    """
    buckets: defaultdict[str, list[int]] = defaultdict(list)
    for row, source in enumerate(translations.sources):
        buckets[bucket_of(source)].append(row)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for name, rows in sorted(buckets.items()):
        scorer = new_scorer([translations.references[row] for row in rows])
        scores = scorer.brief([translations.beam[row] for row in rows])
        table.writerow([name, len(rows), scores["bleu"], scores["chrf"], scores["exact_match"]])
    return text.getvalue()
