"""The task of a decoder on a frozen encoder: predict the target from the saved encoder output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.kernels.draws import current_generator
from stageformer.memory.memory import Memory
from stageformer.model.dropout import Dropout
from stageformer.model.transformer import Decoder
from stageformer.training.loss import Loss, perplexity
from stageformer.training.tasks.translation import decoder_loss


@dataclass
class DecodeMemory:
    """The decoder alone: predict the target from the saved encoder output. See :class:`.base.Task`."""

    model: Decoder
    splits: Mapping[str, Pairs]
    memories: Mapping[str, Sequence[Memory]]
    """of each split: encodings of the same sentences, one of which is drawn for each batch"""
    memory_dropout: Dropout
    device: torch.device
    label_smoothing: float
    unit = "target tokens"

    def ids(self, split: str) -> Ints:
        """Return the sentence ids of a split."""
        return self.splits[split].ids

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the lengths of the memory and of the targets, as the decoder reads them."""
        return self.memories[split][0].lengths, self.splits[split].target.lengths - 1

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of the targets of ``rows [B]``."""
        choices = self.memories[split]
        choice = int(torch.randint(len(choices), (), generator=current_generator())) if len(choices) > 1 else 0
        memory, present = choices[choice].batch(rows)
        memory, present = memory.to(self.device), present.to(self.device)
        if self.model.training:
            memory = self.memory_dropout(memory)
        return decoder_loss(self.model, self.splits[split], rows, memory, present, self.label_smoothing)

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the perplexity."""
        return perplexity(means)
