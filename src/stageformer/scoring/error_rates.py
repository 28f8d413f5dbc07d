"""Phoneme and word error rate, as papers on grapheme-to-phoneme conversion report them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein


def edits_to_nearest(phonemes: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return the edits to the reference that needs the fewest (of equals, the longest), and its number of phonemes."""
    distances = [(Levenshtein.distance(phonemes, reference), -len(reference)) for reference in references]
    edits, negative_length = min(distances)
    return edits, -negative_length


class PhonemeErrors:
    """Phoneme error rate (PER) and word error rate (WER) of strings of phonemes that white space separates.

    A word with several pronunciations is held against the nearest (Yao & Zweig 2015; Yolchuyeva et al. 2019). PER is
    the sum of the edits over the sum of the phonemes of those references; WER is the share of words that equal none.

    Args:
        references: one or more pronunciations a word.
        lowercase: without regard to case.
    """

    def __init__(self, references: Sequence[Sequence[str]], *, lowercase: bool) -> None:
        self._lowercase = lowercase
        self._references = [[self._split(text) for text in texts] for texts in references]

    def counts(self, pronunciations: Sequence[str]) -> NDArray[np.float64]:
        """Return ``[words, 4]``: edits, phonemes of the nearest reference, 1 for a wrong word, 1."""
        found = [
            edits_to_nearest(self._split(text), references)
            for text, references in zip(pronunciations, self._references, strict=True)
        ]
        return np.array([(edits, length, edits > 0, 1) for edits, length in found], dtype=np.float64)

    @staticmethod
    def per(totals: NDArray[np.float64]) -> float:
        """Return the phoneme error rate in percent from sums of :meth:`counts`; above 100 where much is inserted."""
        return float(100 * totals[0] / max(totals[1], 1))

    @staticmethod
    def wer(totals: NDArray[np.float64]) -> float:
        """Return the word error rate in percent from sums of :meth:`counts`."""
        return float(100 * totals[2] / totals[3])

    @property
    def signature(self) -> str:
        """How both rates are computed, in the manner of sacreBLEU's signatures."""
        return f"refs:nearest|case:{'lc' if self._lowercase else 'mixed'}|tok:none"

    def _split(self, text: str) -> list[str]:
        return (text.lower() if self._lowercase else text).split()
