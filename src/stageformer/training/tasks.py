"""What is learnt: each task turns a batch of sentences into a loss, for training and validation alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.model.transformer import Decoder, Transformer
from stageformer.training.loss import Loss, cross_entropy


class Task(Protocol):
    """A model, sentences to learn from, sentences to validate on, and a loss."""

    @property
    def model(self) -> nn.Module:
        """Holds every weight that is trained."""

    @property
    def splits(self) -> Mapping[str, Pairs]:
        """Return the sentences of ``train`` and ``valid``."""

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the tokens of each source and of each target of a split (``train`` or ``valid``), ``[sentences]``."""

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """Return the loss of the sentences ``rows`` of a split."""


@dataclass
class Translation:
    """Encoder and decoder together: predict the target from the source."""

    model: Transformer
    splits: dict[str, Pairs]
    pad_id: int
    device: torch.device

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """See :class:`Task`."""
        return pair_lengths(self.splits[split])

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """See :class:`Task`."""
        pairs = self.splits[split]
        source_ids, source_present = pairs.source.take(rows).padded(self.pad_id)
        memory_present = source_present.to(self.device)
        memory = self.model.encoder(source_ids.to(self.device), memory_present)
        return decoder_loss(self.model.decoder, pairs, rows, memory, memory_present, self.pad_id, label_smoothing)


def pair_lengths(pairs: Pairs) -> tuple[Ints, Ints]:
    """Return the lengths of both sides as a batch has them: the decoder reads one token less than the target holds."""
    return pairs.source.lengths, pairs.target.lengths - 1


def decoder_loss(
    decoder: Decoder,
    pairs: Pairs,
    rows: Ints,
    memory: Tensor,
    memory_present: Tensor,
    pad_id: int,
    label_smoothing: float,
) -> Loss:
    """Return the loss of the targets of ``rows [B]``, given their ``memory [B, S, D]`` (present: ``[B, S]``)."""
    target_ids, present = pairs.target.take(rows).padded(pad_id)
    target_ids = target_ids.to(memory.device)
    wanted = present[:, 1:].to(memory.device)  # [B, T - 1]: the decoder reads <bos> ..., and predicts ... <eos>
    hidden = decoder(target_ids[:, :-1], memory, memory_present)
    return cross_entropy(hidden[wanted], decoder.output_weight, target_ids[:, 1:][wanted], label_smoothing)
