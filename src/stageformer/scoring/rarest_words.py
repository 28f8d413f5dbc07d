"""Sentences by how often the rarest word of the source stands in the training text."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

LOWER_BOUNDS = (0, 1, 2, 5, 10, 100)
"""Smallest number of occurrences in each bucket."""

NO_WORD = "none"


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
    """Count the words of some texts in others; memory grows with the first alone.

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
