"""Translations that say the same thing twice in a row: what a decoder does that has lost its place."""

from __future__ import annotations

from collections.abc import Sequence


def repeats(text: str) -> bool:
    """Return whether an n-gram of words, of any length, directly follows itself: ``a b a b``, ``the the``.

    Words are what white space separates; where a language writes none, little is found.
    """
    words = text.split()
    for n in range(1, len(words) // 2 + 1):
        equal = 0
        # A repeated n-gram is a run of n places at which the word n places later is the same.
        for word, later in zip(words, words[n:], strict=False):
            equal = equal + 1 if word == later else 0
            if equal == n:
                return True
    return False


def repetition(translations: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the percentage of translations with an n-gram that directly follows itself, though no reference has one.

    Such loops are the over-translation of Tu et al. (2016, "Modeling Coverage for Neural Machine Translation") and the
    oscillatory hallucinations of Raunak et al. (2021, "The Curious Case of Hallucinations in Neural Machine
    Translation"); those count n-grams anywhere in the sentence, which a long sentence repeats without fault.
    """
    found = sum(
        repeats(translation) and not any(map(repeats, texts))
        for translation, texts in zip(translations, references, strict=True)
    )
    return 100 * found / len(translations)
