"""Sentences by the length of the source."""

from __future__ import annotations

UPPER_BOUNDS = (1, 2, 4, 8, 16, 32, 64)


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
