"""Corpus scores taken apart: counts of each sentence, whose sums over any sentences give the score of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Statistic:
    """A score that is computed from sums of counts, which makes it cheap to compute for many samples of sentences."""

    counts: Callable[[Sequence[str]], Counts]
    """From translations to ``[sentences, counts]``."""
    score: Callable[[Counts], float]
    """From the sums over sentences, ``[counts]``, to the score."""
    signature: str
    """How it is computed."""


def statistic_of(metric: Metric, signature: str, prepare: Callable[[str], str] | None = None) -> Statistic:
    """Take a metric of sacreBLEU apart, which holds the references.

    sacreBLEU itself does so for its significance tests, but has no public name for it.

    Args:
        metric: made with ``references``.
        signature: of the metric.
        prepare: what is done to a translation before.
    """

    def counts(translations: Sequence[str]) -> Counts:
        texts = [prepare(text) for text in translations] if prepare else translations
        return np.array(metric._extract_corpus_statistics(texts, None), dtype=np.float64)

    def score(totals: Counts) -> float:
        return float(metric._compute_score_from_stats(totals).score)

    return Statistic(counts, score, signature)
