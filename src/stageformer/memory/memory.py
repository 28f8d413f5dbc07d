"""The memory of some sentences, by rows: read from a store, or made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.store import MemoryStore, find_memory


class Memory(Protocol):
    """The memory of some sentences, whoever made it. A :class:`~stageformer.memory.store.MemoryStore` is one, too."""

    lengths: Ints
    """vectors of each sentence, ``[sentences]``"""

    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Return the memory ``[B, S, E]`` of the sentences ``rows [B]``, and presence ``[B, S]``, True at a vector."""


class StoredMemory:
    """What the stage encode saved: no maker runs.

    Args:
        store: the memory of the split
        ids: the sentences, by their ids, ``[sentences]``
        device: where the decoder is

    Raises:
        StageformerError: a sentence is not in the store.
    """

    def __init__(self, store: MemoryStore, ids: Sequence[int] | Ints, device: torch.device) -> None:
        self.store = store
        self.rows = store.rows_of(np.asarray(ids, dtype=np.int64))
        self.device = device
        self.lengths: Ints = store.lengths[self.rows]

    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """See :class:`Memory`."""
        memory, present = self.store.batch(self.rows[rows])
        return memory.to(self.device), present.to(self.device)


class EncodedMemory:
    """What a maker returns when it is asked for.

    Args:
        source: the maker, where the decoder is
        sentences: the sources as ids, <eos> at the end of each
    """

    def __init__(self, source: MemorySource, sentences: Sentences) -> None:
        self.source = source
        self.sentences = sentences
        self._is_prepared = False
        self.lengths: Ints = source.lengths(sentences.lengths)

    @torch.inference_mode()
    def batch(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """See :class:`Memory`."""
        if not self._is_prepared:  # more than one thread may come here first, which does no harm
            self.source.prepare([self.sentences])
            self._is_prepared = True
        return self.source.encode(self.sentences.take(rows))


def saved_or_encoded(
    folder: Path, source: MemorySource, ids: Ints, sentences: Sentences, device: torch.device
) -> Memory:
    """Return the saved memory of the sentences of a split if ``source`` made it; otherwise let ``source`` encode them.

    So the memory of another encoder is never read, such as the one that was trained further together with a decoder.

    Args:
        folder: of the memory of the split, which may be empty
        source: the maker, where the decoder is
        ids: the sentences, by their ids, ``[sentences]``
        sentences: the same as ids of tokens, <eos> at the end of each
        device: where the decoder is

    Raises:
        StageformerError: the folder holds no memory, or that of fewer, more or other sentences.
    """
    encoded = EncodedMemory(source, sentences)
    store = find_memory(folder, source.fingerprint)
    if store is None:
        return encoded
    store.check_sentences(ids, "the table of ids")
    stored = StoredMemory(store, ids, device)
    store.check_lengths(stored.rows, encoded.lengths)
    return stored
