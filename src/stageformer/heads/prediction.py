"""From memory to predicted labels.

Shape letters: N sentences, W words of all of them, C labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stageformer.batching.batches import batches_by_length
from stageformer.batching.sentences import Ints
from stageformer.compute.pool import Pool
from stageformer.heads.examples import Labelled
from stageformer.heads.files import SavedHead
from stageformer.scoring.classification import Prediction


@dataclass(frozen=True)
class Predicted:
    """What a head predicts of the sentences of a split."""

    rows: list[Prediction]
    """``[N]``"""
    probabilities: list[list[float]]
    """of each label that was predicted, ``[N]`` lists"""
    confidence: NDArray[np.float64]
    """the probability of each decision, right or wrong, ``[decisions]``: one a sentence or word; of ``several``, C a
    sentence"""
    right: NDArray[np.bool_]
    """whether it is right, ``[decisions]``"""


def predict_split(saved: SavedHead, labelled: Labelled, batch_tokens: int, pool: Pool) -> Predicted:
    """Predict the labels of a split.

    Args:
        saved: the head, on the CPU.
        labelled: the split; its memory must be of the head's maker, which :func:`~.files.check_memory` checks.
        batch_tokens: the largest number of tokens that is computed at once.
        pool: computes batches side by side; its workers change no bit.
    """
    rows = labelled.with_words()
    lengths = labelled.lengths[rows]

    @torch.no_grad()
    def logits_of(batch: Ints) -> Tensor:
        memory, present, words = labelled.batch(rows[batch])
        found: Tensor = saved.model(memory, present, words)
        return found

    logits = torch.empty(len(labelled) if labelled.words is None else len(labelled.words.first), len(saved.labels))
    batches = batches_by_length(lengths, batch_tokens)
    for batch, part in zip(batches, pool.map(logits_of, batches), strict=True):
        places = rows[batch] if labelled.words is None else labelled.words.places(rows[batch])
        logits[torch.from_numpy(places)] = part
    offsets = np.arange(len(labelled) + 1) if labelled.words is None else labelled.words.offsets
    decided = [decide(saved, logits[start:stop]) for start, stop in itertools.pairwise(offsets)]
    found = [
        Prediction(id_, labels, predicted)
        for id_, labels, (predicted, _) in zip(labelled.ids.tolist(), labelled.labels, decided, strict=True)
    ]
    confidence, right = _decisions(saved, labelled, logits, found)
    return Predicted(found, [probabilities for _, probabilities in decided], confidence, right)


def decide(saved: SavedHead, logits: Tensor) -> tuple[list[str], list[float]]:
    """Return the labels that follow from logits, and the probability of each.

    Args:
        saved: the head.
        logits: of one sentence ``[1, C]``, or of its words ``[W, C]``.

    Returns:
        One label, one for each word, or those whose probability reaches the threshold, the most probable first.
    """
    if saved.kind == "several":
        probabilities = logits[0].double().sigmoid()
        order = probabilities.argsort(descending=True, stable=True).tolist()
        chosen = [number for number in order if probabilities[number] >= saved.threshold]
        return [saved.labels[number] for number in chosen], [float(probabilities[number]) for number in chosen]
    best = logits.double().softmax(1).max(1)
    return [saved.labels[number] for number in best.indices.tolist()], best.values.tolist()


def _decisions(
    saved: SavedHead, labelled: Labelled, logits: Tensor, rows: Sequence[Prediction]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if saved.kind == "several":
        probabilities = logits.double().sigmoid().numpy()
        predicted = probabilities >= saved.threshold
        there = np.array([[name in row.labels for name in saved.labels] for row in rows])
        return np.where(predicted, probabilities, 1 - probabilities).ravel(), (predicted == there).ravel()
    confidence = logits.double().softmax(1).amax(1).numpy()
    right = [
        label == guess
        for row in rows
        if row.predicted
        for label, guess in zip(row.labels, row.predicted, strict=True)
    ]
    return confidence, np.array(right, dtype=bool)
