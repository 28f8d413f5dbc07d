"""Is one system better than another, or is it chance? Paired bootstrap resampling (Koehn 2004).

Corpus scores are split into counts per sentence, whose sums over any sentences give the score of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric

Counts = NDArray[np.float64]

NUM_SAMPLES = 1_000
SEED = 12_345
"""sacreBLEU's: the same samples as those of its own tests."""


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
    """Split a metric of sacreBLEU, which holds the references.

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


@dataclass(frozen=True)
class BootstrapResult:
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


@dataclass(frozen=True)
class Interval:
    """Between which values a score lies in 95 % of the samples of the test set."""

    low: float
    high: float


def bootstrap(translations: Sequence[str], statistic: Statistic) -> Interval:
    """Return the interval of a score of one system, from ``NUM_SAMPLES`` samples of the test set.

    Intervals of two systems that overlap say nothing on which is better: :func:`paired_bootstrap` does.

    Args:
        translations: by the system.
        statistic: the score; it holds the references.
    """
    return interval(statistic.counts(translations), statistic.score)


def interval(counts: Counts, score: Callable[[Counts], float]) -> Interval:
    """Do what :func:`bootstrap` does, with the counts of a system, ``[sentences, counts]``."""
    low, high = np.percentile([score(totals) for totals in resample(counts)], [2.5, 97.5])
    return Interval(float(low), float(high))


def paired_bootstrap(first: Sequence[str], second: Sequence[str], statistic: Statistic) -> BootstrapResult:
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
    return compare_counts(
        statistic.counts(first), statistic.counts(second), statistic.score, statistic.signature
    )


def compare_counts(
    first: Counts, second: Counts, score: Callable[[Counts], float], signature: str
) -> BootstrapResult:
    """Do what :func:`paired_bootstrap` does, with the counts of two systems on the same sentences.

    Args:
        first: of the first system, ``[sentences, counts]``.
        second: of the second, likewise.
        score: from the sums over sentences, ``[counts]``, to the score.
        signature: how it is computed.
    """
    samples = [[score(totals) for totals in resample(counts)] for counts in (first, second)]
    differences = np.array(samples[1]) - np.array(samples[0])
    scores = [score(counts.sum(0)) for counts in (first, second)]
    seen = scores[1] - scores[0]
    reached = np.abs(differences - differences.mean()) >= abs(seen)
    low, high = np.percentile(differences, [2.5, 97.5])
    return BootstrapResult(
        first=scores[0],
        second=scores[1],
        difference=seen,
        low=float(low),
        high=float(high),
        p=(int(reached.sum()) + 1) / (NUM_SAMPLES + 1),
        signature=signature,
    )


def resample(counts: Counts) -> Counts:
    """Return the sums of counts of each sample: from ``[sentences, counts]`` to ``[NUM_SAMPLES, counts]``."""
    sentences = len(counts)
    chosen = np.random.default_rng(SEED).choice(sentences, size=(NUM_SAMPLES, sentences), replace=True)
    return np.stack([counts[rows].sum(0) for rows in chosen])
