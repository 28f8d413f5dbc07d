"""Is one system better than another, or is it chance? Paired bootstrap resampling (Koehn 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stageformer.scoring.statistics import Counts, Statistic

NUM_SAMPLES = 1_000
SEED = 12_345
"""sacreBLEU's: the same samples as those of its own tests."""


@dataclass(frozen=True)
class Difference:
    """How a second system differs from a first one in one score."""

    first: float
    second: float
    difference: float
    """second minus first"""
    low: float
    """95 % of the samples have a difference between this one ..."""
    high: float
    """... and this one"""
    p: float
    """probability of a difference as large, in either direction, if the systems were equally good"""
    signature: str


def paired_bootstrap(first: Sequence[str], second: Sequence[str], statistic: Statistic) -> Difference:
    """Compare two systems on ``NUM_SAMPLES`` samples of the test set, drawn with replacement; of its own size each.

    Both systems are scored on the same samples. The interval reaches from the 2.5th to the 97.5th percentile of the
    differences. For p, the differences are shifted to have mean zero, which they had if the systems were equally good:
    p is the share of those whose size reaches that of the difference seen, this one counted as well (Efron &
    Tibshirani 1993, chapter 16). sacreBLEU's own p is another one: it looks in one direction only.

    Args:
        first: translations by one system.
        second: translations of the same sentences by another.
        statistic: the score; it holds the references.
    """
    counts = [statistic.counts(first), statistic.counts(second)]
    samples = [[statistic.score(totals) for totals in resample(system)] for system in counts]
    differences = np.array(samples[1]) - np.array(samples[0])
    scores = [statistic.score(system.sum(0)) for system in counts]
    seen = scores[1] - scores[0]
    reached = np.abs(differences - differences.mean()) >= abs(seen)
    low, high = np.percentile(differences, [2.5, 97.5])
    return Difference(
        first=scores[0],
        second=scores[1],
        difference=seen,
        low=float(low),
        high=float(high),
        p=(int(reached.sum()) + 1) / (NUM_SAMPLES + 1),
        signature=statistic.signature,
    )


def resample(counts: Counts) -> Counts:
    """Return the sums of counts of each sample: from ``[sentences, counts]`` to ``[NUM_SAMPLES, counts]``."""
    sentences = len(counts)
    chosen = np.random.default_rng(SEED).choice(sentences, size=(NUM_SAMPLES, sentences), replace=True)
    return np.stack([counts[rows].sum(0) for rows in chosen])
