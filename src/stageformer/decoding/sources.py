"""Where the memory of the sources comes from: the encoder at work, or its saved output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences
from stageformer.memory.store import MemoryStore
from stageformer.model.encoder import Encoder


class Sources(Protocol):
    """Sentences to translate."""

    lengths: Ints
    """tokens of each source, <eos> included, ``[sentences]``"""

    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return the memory ``[B, S, D]`` of the sentences ``rows [B]``, and presence ``[B, S]``, True at a token."""


class EncodedSources:
    """Sources that the encoder reads when they are asked for.

    Args:
        encoder: in eval mode, on ``device``
        source_ids: the ids of each source, <eos> included
        pad_id: the id of <pad>
        device: where the encoder is
    """

    def __init__(
        self, encoder: Encoder, source_ids: Sequence[Sequence[int]], pad_id: int, device: torch.device
    ) -> None:
        self.encoder = encoder
        self.sentences = Sentences.of(source_ids)
        self.pad_id = pad_id
        self.device = device
        self.lengths: Ints = self.sentences.lengths

    @torch.inference_mode()
    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """See :class:`Sources`."""
        ids, present = self.sentences.take(rows).padded(self.pad_id)
        ids, present = ids.to(self.device), present.to(self.device)
        return self.encoder(ids, present), present


class StoredSources:
    """Sources whose memory was saved by the stage encode: the encoder does not run.

    Args:
        store: the memory of the split
        ids: the sentences, by their ids, ``[sentences]``
        device: where the decoder is

    Raises:
        StageformerError: a sentence is not in the store.
    """

    def __init__(self, store: MemoryStore, ids: Sequence[int], device: torch.device) -> None:
        self.store = store
        self.rows = store.rows_of(np.asarray(ids, dtype=np.int64))
        self.device = device
        self.lengths: Ints = store.lengths[self.rows]

    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """See :class:`Sources`."""
        memory, present = self.store.batch(self.rows[rows])
        return memory.to(self.device), present.to(self.device)
