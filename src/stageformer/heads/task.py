"""The task of a head: predict the labels of sentences or words from saved memory; the encoder never runs.

Shape letters: B batch, N targets of the batch, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stageformer.batching.sentences import Ints
from stageformer.errors import StageformerError
from stageformer.heads.examples import UNSEEN, Labelled, check_seen, label_names, targets
from stageformer.heads.model import Head, HeadConfig, initialise
from stageformer.memory.pooling import SENTENCES_PER_PART
from stageformer.memory.store import MemoryStore
from stageformer.params.head import Head as HeadParams
from stageformer.training.loss import Loss


@dataclass
class HeadTask:
    """See :class:`stageformer.training.tasks.base.Task`."""

    model: Head
    splits: Mapping[str, Labelled]
    targets: Mapping[str, Tensor]
    """by split: as :func:`~stageformer.heads.examples.targets`"""
    weights: Tensor | None
    """how much each label counts, ``[C]``; of ``several``, how much its presence counts"""
    label_smoothing: float
    device: torch.device

    def __post_init__(self) -> None:
        """Find the sentences that have something to predict."""
        self.unit = "words" if self.splits["train"].kind == "tags" else "sentences"
        self._rows = {name: labelled.with_words() for name, labelled in self.splits.items()}

    def ids(self, split: str) -> Ints:
        """Return the sentence ids of a split."""
        return self.splits[split].ids[self._rows[split]]

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the vectors of each sentence, twice: only one side is read."""
        lengths = self.splits[split].lengths[self._rows[split]]
        return lengths, lengths

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of the labels of ``rows [B]``."""
        labelled, rows = self.splits[split], self._rows[split][rows]
        memory, present, words = labelled.batch(rows)
        places = rows if labelled.words is None else labelled.words.places(rows)
        wanted = self.targets[split][torch.from_numpy(places)].to(self.device)
        if words is not None:
            words = (words[0].to(self.device), words[1].to(self.device))
        logits = self.model(memory.to(self.device), present.to(self.device), words)
        if labelled.kind == "several":
            return self._several(logits, wanted)
        return self._one(logits, wanted)

    def _one(self, logits: Tensor, wanted: Tensor) -> Loss:
        """Return the cross-entropy of one label each, ``[N, C]`` and ``[N]``; what train has not, has none."""
        smoothing = self.label_smoothing
        total = F.cross_entropy(
            logits, wanted, self.weights, ignore_index=UNSEEN, label_smoothing=smoothing, reduction="sum"
        )
        correct = (logits.argmax(1) == wanted).sum()
        return Loss(total, len(wanted), {"correct": correct})

    def _several(self, logits: Tensor, wanted: Tensor) -> Loss:
        """Return the binary cross-entropy of every label, summed over them, ``[N, C]`` both."""
        smoothed = wanted.to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        total = F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=self.weights, reduction="sum")
        correct = ((logits > 0) == wanted).all(1).sum()
        return Loss(total, len(wanted), {"correct": correct})

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the accuracy: of ``several``, how many sentences have exactly the labels of a probability over 0.5."""
        return {"accuracy": means["correct"]}


def head_task(
    params: HeadParams, splits: Mapping[str, Labelled], device: torch.device
) -> tuple[HeadTask, list[str]]:
    """Return the task of a head, with its model as it begins, and the names of the labels.

    Args:
        params: of the group ``head``
        splits: ``train`` and ``valid``
        device: where to compute

    Raises:
        StageformerError: there is nothing to learn, valid has labels that train has not, the memory of valid is of
            another maker, or has no layer that ``head.layer`` names.
    """
    train, valid = splits["train"], splits["valid"]
    names = label_names(train)
    if params.unseen_labels == "refuse":
        check_seen(valid, "valid", names)
    check_same_maker(train.store, valid.store)
    numbers = {name: number for number, name in enumerate(names)}
    wanted = {name: targets(labelled, numbers) for name, labelled in splits.items()}
    config = head_config(params, train, len(names))
    mean, scale = statistics(train, config) if params.standardize else (None, None)
    model = Head(config, mean, scale)
    initialise(model, params.training.seed)
    weights = label_weights(wanted["train"], train.kind, len(names)) if params.class_weights == "balanced" else None
    smoothing = params.training.label_smoothing
    return HeadTask(
        model.to(device), splits, wanted, None if weights is None else weights.to(device), smoothing, device
    ), names


def check_same_maker(first: MemoryStore, second: MemoryStore) -> None:
    """Raise StageformerError unless the memory of two splits is of one maker."""
    if (first.fingerprint, first.width) != (second.fingerprint, second.width):
        raise StageformerError(
            f"{first.folder} and {second.folder}: hold memory of different makers; make them again with "
            "`dvc repro --force encode`"
        )


def head_config(params: HeadParams, train: Labelled, num_labels: int) -> HeadConfig:
    """Return the shape of a head. Raises StageformerError where the memory does not have the layer asked for."""
    kept = layers_of(train.store)
    if params.layer is not None and params.layer not in kept:
        there = f"the layers {', '.join(map(str, kept))}" if kept else "the output of its maker alone"
        raise StageformerError(
            f"head.layer is {params.layer}, but {train.store.folder} holds {there}; choose one of these, or let "
            "encode.layers keep it"
        )
    return HeadConfig(
        width=train.store.width,
        num_layers=max(1, len(kept)),
        layer=-1 if params.layer is None else kept.index(params.layer),
        mix=params.mix,
        pooling="none" if train.kind == "tags" else params.pooling,
        words=params.words,
        hidden_size=params.hidden_size or 0,
        dropout=params.dropout,
        num_labels=num_labels,
    )


def layers_of(store: MemoryStore) -> list[int]:
    """Return the numbers of the layers that a memory keeps side by side; none, where it is the maker's output alone."""
    return list(getattr(store, "kept", None) or [])


def statistics(train: Labelled, config: HeadConfig) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each feature over the tokens of the sentences, ``[D]`` each.

    Of a learned mix of layers, they are those of the mean of all layers. A feature that never changes has deviation 1.
    """
    layers = Head(config).layers
    total = torch.zeros(config.read_width, dtype=torch.float64)
    squares, count = torch.zeros_like(total), 0
    with torch.no_grad():
        for start in range(0, len(train), SENTENCES_PER_PART):
            memory, present = train.store.batch(train.rows[start : start + SENTENCES_PER_PART])
            vectors = layers(memory[present]).double()
            total, squares, count = total + vectors.sum(0), squares + vectors.square().sum(0), count + len(vectors)
    mean = total / count
    scale = (squares / count - mean.square()).clamp(min=0).sqrt()
    return mean.float(), torch.where(scale > 1e-6 * mean.abs().clamp(min=1), scale, 1.0).float()


def label_weights(wanted: Tensor, kind: str, num_labels: int) -> Tensor:
    """Return how much each label counts where rare ones count more, ``[C]``.

    Of ``one`` and ``tags`` as scikit-learn's ``balanced``: the number of examples over C times that of the label. Of
    ``several``, how many sentences are without the label for one that has it.
    """
    if kind == "several":
        having = wanted.sum(0).double()
        return ((len(wanted) - having) / having).float()
    counts = np.bincount(wanted.numpy(), minlength=num_labels)
    return torch.from_numpy(len(wanted) / (num_labels * counts)).float()
