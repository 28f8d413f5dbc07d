"""Character error rate; phoneme and word error rate, as papers on grapheme-to-phoneme conversion report them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein


def edits_to_nearest(units: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return the edits to the reference that needs the fewest (of equals, the longest), and its number of units.

    Args:
        units: phonemes or characters.
        references: one or more, of the same units.
    """
    distances = [(Levenshtein.distance(units, reference), -len(reference)) for reference in references]
    edits, negative_length = min(distances)
    return edits, -negative_length


def signature(*, lowercase: bool) -> str:
    """Return how error rates are computed, in the manner of sacreBLEU's signatures."""
    return f"refs:nearest|case:{'lc' if lowercase else 'mixed'}|tok:none"


class CharacterErrors:
    """Character error rate (CER): insertions, deletions and substitutions over the characters of the references.

    Of several references, the nearest counts. Characters are code points, white space among them.

    Args:
        references: one or more texts a sentence.
        lowercase: without regard to case.
    """

    def __init__(self, references: Sequence[Sequence[str]], *, lowercase: bool) -> None:
        self._lowercase = lowercase
        self._references = [[self._cased(text) for text in texts] for texts in references]

    def counts(self, translations: Sequence[str]) -> NDArray[np.float64]:
        """Return ``[sentences, 2]``: edits, characters of the nearest reference."""
        pairs = zip(translations, self._references, strict=True)
        return np.array([edits_to_nearest(self._cased(text), texts) for text, texts in pairs], dtype=np.float64)

    @staticmethod
    def cer(totals: NDArray[np.float64]) -> float:
        """Return the rate in percent from sums of :meth:`counts`; above 100 where much is inserted."""
        return float(100 * totals[0] / max(totals[1], 1))

    @property
    def signature(self) -> str:
        """See :func:`signature`."""
        return signature(lowercase=self._lowercase)

    def _cased(self, text: str) -> str:
        return text.lower() if self._lowercase else text


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
        """See :func:`signature`."""
        return signature(lowercase=self._lowercase)

    def _split(self, text: str) -> list[str]:
        return (text.lower() if self._lowercase else text).split()
