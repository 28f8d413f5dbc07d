"""Scores of kinds of sentences: the sentences of a test set in named buckets, each scored separately.

Buckets are by the length of the source, and by how often its rarest word occurs in the training text.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from stageformer.artifacts.csv_files import csv_text
from stageformer.scoring.report import Translations
from stageformer.scoring.settings import Settings

COLUMNS = ("sentences", "bleu", "chrf", "exact_match")

UPPER_BOUNDS = (1, 2, 4, 8, 16, 32, 64)
"""Largest number of words of a source in each bucket of lengths."""

LOWER_BOUNDS = (0, 1, 2, 5, 10, 100)
"""Smallest number of occurrences of the rarest word in each bucket."""

NO_WORD = "none"


def rows_by_bucket(buckets: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each bucket, the buckets in the order of their names."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, bucket in enumerate(buckets):
        rows[bucket].append(row)
    return dict(sorted(rows.items()))


def by_bucket(column: str, buckets: Sequence[str], translations: Translations, settings: Settings) -> str:
    """Score the translations by beam search of each bucket together.

    Args:
        column: name of the column of buckets.
        buckets: of each sentence; in the table they are sorted by name.
        translations: all sentences.
        settings: what kind of scores.

    Returns:
        A table in CSV with the columns ``column`` and ``COLUMNS``.
    """
    table: list[tuple[str | int | float, ...]] = []
    for name, rows in rows_by_bucket(buckets).items():
        scorer = settings.scorer([translations.references[row] for row in rows])
        scores = scorer.brief([translations.beam[row] for row in rows])
        table.append((name, len(rows), scores["bleu"], scores["chrf"], scores["exact_match"]))
    return csv_text([column, *COLUMNS], table)


def length_bucket(source: str) -> str:
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


def words(text: str) -> list[str]:
    """Return the words of a text: what white space separates, case-folded, without punctuation at its ends."""
    found = []
    for part in text.casefold().split():
        start, end = 0, len(part)
        while start < end and not _is_of_word(part[start]):
            start += 1
        while start < end and not _is_of_word(part[end - 1]):
            end -= 1
        if start < end:
            found.append(part[start:end])
    return found


def count_words(wanted: Iterable[str], texts: Iterable[str]) -> Counter[str]:
    """Count the words of some texts in others; memory grows only with the first.

    Args:
        wanted: texts whose words are counted.
        texts: where they are counted, such as the sources of ``train``.
    """
    counts = Counter(dict.fromkeys((word for text in wanted for word in words(text)), 0))
    for text in texts:
        for word in words(text):
            if word in counts:
                counts[word] += 1
    return counts


def rarest_word_buckets(sources: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return the name of the bucket of each source: how often its rarest word occurs.

    Args:
        sources: sentences.
        counts: occurrences of each of their words in the training text.

    Returns:
        ``000``, ``001``, ``002-004``, ..., with zeros so that the names sort as the numbers do; ``NO_WORD`` for a
        source without a word.
    """
    return [_name(min(counts[word] for word in found)) if (found := words(source)) else NO_WORD for source in sources]


def _name(count: int) -> str:
    lower = max(bound for bound in LOWER_BOUNDS if bound <= count)
    if lower == LOWER_BOUNDS[-1]:
        return f"{lower:03d}+"
    upper = LOWER_BOUNDS[LOWER_BOUNDS.index(lower) + 1] - 1
    return f"{lower:03d}" if lower == upper else f"{lower:03d}-{upper:03d}"


def _is_of_word(character: str) -> bool:
    # Marks are the vowel signs of Indic scripts and the accents of decomposed letters.
    return unicodedata.category(character)[0] in "LMN"
