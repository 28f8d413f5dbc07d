"""Scores of predicted labels: accuracy, F1, spans, confusion, calibration.

Each is computed from sums over sentences, which makes it cheap to resample (:mod:`stageformer.scoring.significance`).

Shape letters: N sentences, C labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stageformer.scoring.significance import Counts

SCORES = {
    "accuracy": "accuracy %",
    "exact_match": "exact match %",
    "micro_f1": "micro F1 %",
    "macro_f1": "macro F1 %",
    "span_f1": "span F1 %",
}
"""The names of the scores as readers see them, in the order in which they are shown."""
BINS = 10
"""of the calibration: equally wide, from probability 0 to 1"""
_BIO = re.compile(r"O|[BI]-.+")


class Prediction(NamedTuple):
    """The labels of one sentence, or of its words."""

    id: int
    labels: list[str]
    """the right ones"""
    predicted: list[str]
    """of ``tags`` one for each word, or none at all where the head could not read the words"""


@dataclass(frozen=True)
class LabelCounts:
    """How the counts of a sentence are laid out, and what scores their sums give. Scores are percent.

    The counts are: examples, right ones; spans, predicted spans, right spans; and of each label how often it is right,
    how often predicted, and how often there: ``[5 + 3 * C]``.
    """

    kind: str
    """``ingest.labels``: ``one``, ``several`` or ``tags``"""
    names: Sequence[str]
    """all labels that are there or predicted, ``[C]``"""
    has_spans: bool
    """whether the tags are BIO"""

    @staticmethod
    def of(kind: str, *systems: Sequence[Prediction]) -> LabelCounts:
        """Return the layout for the predictions of some systems on the same sentences."""
        names = {name for rows in systems for row in rows for name in (*row.labels, *row.predicted)}
        right = {name for rows in systems for row in rows for name in row.labels}
        return LabelCounts(kind, sorted(names), kind == "tags" and is_bio(right))

    def counts(self, rows: Sequence[Prediction]) -> Counts:
        """Return the counts of each sentence, ``[N, 5 + 3 * C]``."""
        numbers = {name: number for number, name in enumerate(self.names)}
        found = np.zeros((len(rows), 5 + 3 * len(numbers)))
        for counts, row in zip(found, rows, strict=True):
            right, predicted, there = counts[5:].reshape(3, -1)
            if self.kind == "several":
                counts[:2] = 1, set(row.labels) == set(row.predicted)
                both = set(row.labels) & set(row.predicted)
                for names, where in ((both, right), (row.predicted, predicted), (row.labels, there)):
                    for name in names:
                        where[numbers[name]] += 1
                continue
            guesses = row.predicted or [""] * len(row.labels)
            for label, guess in zip(row.labels, guesses, strict=True):
                there[numbers[label]] += 1
                if guess:
                    predicted[numbers[guess]] += 1
                right[numbers[label]] += label == guess
            counts[:2] = len(row.labels), right.sum()
            if self.has_spans:
                spans, guessed = bio_spans(row.labels), bio_spans(row.predicted)
                counts[2:5] = len(spans), len(guessed), len(spans & guessed)
        return found

    def scores(self, totals: Counts) -> dict[str, float]:
        """Return the scores by name, from the sums of counts ``[5 + 3 * C]``, in percent."""
        examples, exact, spans, guessed_spans, right_spans, *_ = totals
        right, predicted, there = totals[5:].reshape(3, -1)
        occurring = (predicted + there) > 0
        macro = float(f1(right, predicted, there)[occurring].mean()) if occurring.any() else 0.0
        found = {"exact_match" if self.kind == "several" else "accuracy": 100 * float(exact / examples)}
        if self.kind == "several":
            found["micro_f1"] = 100 * float(f1(right.sum(), predicted.sum(), there.sum()))
        found["macro_f1"] = 100 * macro
        if self.has_spans:
            found["span_f1"] = 100 * float(f1(right_spans, guessed_spans, spans))
        return found

    def signature(self, name: str) -> str:
        """Return how a score is computed."""
        examples = {"one": "sentences", "several": "sentences", "tags": "words"}[self.kind]
        return {
            "accuracy": f"share of the {examples} with the right label",
            "exact_match": "share of the sentences with exactly the right labels",
            "micro_f1": "F1 of all labels together",
            "macro_f1": "mean F1 of the labels that are there or predicted",
            "span_f1": "F1 of spans, as conlleval",
        }[name]


def f1(right: Counts | float, predicted: Counts | float, there: Counts | float) -> Counts:
    """Return the harmonic mean of precision and recall; 0 where nothing is right."""
    total = np.asarray(predicted + there, dtype=np.float64)
    return np.divide(2 * np.asarray(right, dtype=np.float64), total, out=np.zeros_like(total), where=total > 0)


def is_bio(names: set[str]) -> bool:
    """Say whether tags mark spans: ``B-TYPE`` at the beginning, ``I-TYPE`` inside, ``O`` outside."""
    return any(name.startswith("B-") for name in names) and all(_BIO.fullmatch(name) for name in names)


def bio_spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """Return the spans of a sentence: first word, the one after the last, type.

    As in conlleval, an ``I-`` that continues no span of its type begins one.
    """
    spans = set()
    start, kind = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        if kind and (prefix != "I" or name != kind):
            spans.add((start, place, kind))
            kind = ""
        if prefix in ("B", "I") and name and not kind:
            start, kind = place, name
    return spans


class OfLabel(NamedTuple):
    """How well one label is predicted; shares are from 0 to 1."""

    label: str
    examples: int
    predicted: int
    precision: float
    recall: float
    f1: float


def by_label(layout: LabelCounts, totals: Counts) -> list[OfLabel]:
    """Return the scores of each label, the most frequent first, from the sums of counts."""
    right, predicted, there = totals[5:].reshape(3, -1)
    scores = f1(right, predicted, there)
    found = [
        OfLabel(
            name, int(there[n]), int(predicted[n]), float(right[n] / max(predicted[n], 1)),
            float(right[n] / max(there[n], 1)), float(scores[n]),
        )
        for n, name in enumerate(layout.names)
    ]  # fmt: skip
    return sorted(found, key=lambda label: (-label.examples, label.label))


def confusion(kind: str, rows: Sequence[Prediction], names: Sequence[str]) -> Mapping[tuple[str, str], int]:
    """Return how often each right label was predicted as which.

    Args:
        kind: ``ingest.labels``. Of ``several``, each decision on a label is an example: ``yes`` or ``no``.
        rows: of all sentences.
        names: all labels, for ``several``.
    """
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if kind == "several":
            for name in names:
                found["yes" if name in row.labels else "no", "yes" if name in row.predicted else "no"] += 1
        else:
            found.update(zip(row.labels, row.predicted or [""] * len(row.labels), strict=True))
    return found


class Bin(NamedTuple):
    """Predictions of about the same probability."""

    probability: float
    """their mean"""
    accuracy: float
    examples: int


def calibration(probabilities: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, list[Bin]]:
    """Return the expected calibration error (Naeini et al. 2015), from 0 to 1, and its bins that hold anything.

    Args:
        probabilities: of what was predicted, ``[examples]``
        right: whether that is right, ``[examples]``
    """
    numbers = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        inside = numbers == number
        if inside.any():
            bins.append(Bin(float(probabilities[inside].mean()), float(right[inside].mean()), int(inside.sum())))
    error = sum(bin_.examples * abs(bin_.probability - bin_.accuracy) for bin_ in bins) / max(len(right), 1)
    return error, bins
