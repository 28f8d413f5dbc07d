"""What is learnt: each task turns a batch of sentences into a loss, for training and validation alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from stageformer.memory import MemoryStore
from stageformer.model.decoder import Decoder
from stageformer.model.dropout import Dropout
from stageformer.model.encoder import Encoder
from stageformer.model.transformer import Transformer
from stageformer.training.loss import Loss, cross_entropy
from stageformer.training.pairs import Ints, Pairs


class Task(Protocol):
    """A model, sentences to learn from, sentences to validate on, and a loss."""

    @property
    def model(self) -> nn.Module:
        """Holds every weight that is trained."""

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
        return _lengths(self.splits[split])

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """See :class:`Task`."""
        pairs = self.splits[split]
        source_ids, source_present = pairs.source.padded(rows, self.pad_id)
        memory_present = source_present.to(self.device)
        memory = self.model.encoder(source_ids.to(self.device), memory_present)
        return _decoder_loss(self.model.decoder, pairs, rows, memory, memory_present, self.pad_id, label_smoothing)


@dataclass
class DecodeMemory:
    """The decoder alone: predict the target from the saved encoder output."""

    model: Decoder
    splits: dict[str, Pairs]
    memories: dict[str, MemoryStore]
    memory_dropout: Dropout
    pad_id: int
    device: torch.device

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """See :class:`Task`."""
        return _lengths(self.splits[split])

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """See :class:`Task`."""
        memory, present = self.memories[split].batch(rows)
        memory, present = memory.to(self.device), present.to(self.device)
        if self.model.training:
            memory = self.memory_dropout(memory)
        return _decoder_loss(self.model, self.splits[split], rows, memory, present, self.pad_id, label_smoothing)


@dataclass
class MaskedTokens:
    """The encoder alone: predict hidden source tokens (Devlin et al. 2019).

    Of the tokens chosen, 80 % are replaced by <unk> (the vocabulary has no token of its own for it), 10 % by a random
    token, and 10 % are left. The output projection is the source embedding.
    """

    model: Encoder
    splits: dict[str, Pairs]
    masked_fraction: float
    pad_id: int
    unk_id: int
    num_special: int
    device: torch.device
    seed: int

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """See :class:`Task`. The target is the source itself."""
        lengths = self.splits[split].source.lengths
        return lengths, lengths

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """See :class:`Task`."""
        source_ids, present = self.splits[split].source.padded(rows, self.pad_id)
        # Validation hides the same tokens every time, so that its losses can be compared.
        generator = None if self.model.training else torch.Generator().manual_seed(self.seed + int(rows[0]))
        chance = torch.rand(source_ids.shape, generator=generator)
        chosen = present & (chance < self.masked_fraction)
        chosen[0, 0] |= not bool(chosen.any())  # at least one, or there is no loss
        kind = torch.rand(source_ids.shape, generator=generator)
        vocabulary = self.model.embedding.config.vocabulary_size
        random_ids = torch.randint(self.num_special, vocabulary, source_ids.shape, generator=generator)
        seen = torch.where(chosen & (kind < 0.8), self.unk_id, source_ids)
        seen = torch.where(chosen & (kind >= 0.9), random_ids, seen)
        memory = self.model(seen.to(self.device), present.to(self.device))
        hidden = memory[chosen.to(self.device)]  # [N, D]
        return cross_entropy(hidden, self.model.embedding.weight, source_ids[chosen].to(self.device), label_smoothing)


def _lengths(pairs: Pairs) -> tuple[Ints, Ints]:
    return pairs.source.lengths, pairs.target.lengths - 1  # the decoder reads one token less: see _decoder_loss


def _decoder_loss(
    decoder: Decoder,
    pairs: Pairs,
    rows: Ints,
    memory: Tensor,
    memory_present: Tensor,
    pad_id: int,
    label_smoothing: float,
) -> Loss:
    target_ids, present = pairs.target.padded(np.asarray(rows), pad_id)
    target_ids = target_ids.to(memory.device)
    wanted = present[:, 1:].to(memory.device)  # [B, T - 1]: the decoder reads <bos> ..., and predicts ... <eos>
    hidden = decoder(target_ids[:, :-1], memory, memory_present)
    return cross_entropy(hidden[wanted], decoder.output_weight, target_ids[:, 1:][wanted], label_smoothing)
