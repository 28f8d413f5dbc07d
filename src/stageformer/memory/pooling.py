"""One vector for each sentence, pooled from the vectors of its tokens.

Shape letters: B batch, S source length, E width of the memory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stageformer.artifacts.files import atomic_file, atomic_folder
from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tensors import is_finite, write_tensors
from stageformer.compute.disk import check_disk
from stageformer.errors import StageformerError
from stageformer.memory.padded import FORMATS
from stageformer.memory.store import MemoryStore

HOW = ("mean", "max", "cls")
"""mean and largest value over the tokens, <eos> included; the vector of the first token"""
SENTENCES_PER_PART = 1024


def pool(memory: Tensor, present: Tensor, how: str) -> Tensor:
    """Pool a batch. Padding takes no part, whatever it holds; no sentence is empty.

    Args:
        memory: ``[B, S, E]``
        present: True where there is a vector, those of a sentence first, ``[B, S]``
        how: one of ``HOW``

    Returns:
        Shape: ``[B, E]``.
    """
    if how == "cls":
        return memory[:, 0]
    padding = ~present.unsqueeze(-1)
    if how == "max":
        return memory.masked_fill(padding, -torch.inf).amax(dim=1)
    return memory.masked_fill(padding, 0).sum(dim=1) / present.sum(dim=1, keepdim=True)


def pooled(store: MemoryStore, how: str) -> Tensor:
    """Pool every sentence of a store, in order, with no more than one part of it in memory.

    Returns:
        Shape: ``[sentences, E]``, float32.

    Raises:
        StageformerError: a sentence has no vectors, or a number is not finite.
    """
    empty = np.flatnonzero(store.lengths == 0)
    if len(empty):
        raise StageformerError(f"{store.folder}: sentence {store.ids[empty[0]]} has no vectors{rerun_hint('memory')}")
    vectors = torch.empty(len(store), store.width)
    for start in range(0, len(store), SENTENCES_PER_PART):
        rows = np.arange(start, min(start + SENTENCES_PER_PART, len(store)))
        memory, present = store.batch(rows)
        if not is_finite(memory):
            raise StageformerError(f"{store.folder}: holds numbers that are not finite{rerun_hint('memory')}")
        vectors[start : start + len(rows)] = pool(memory, present, how)
    return vectors


def export_pooled(store: MemoryStore, folder: Path, how: str, format: str = "npy") -> list[Path]:
    """Replace ``folder`` by one vector for each sentence, for other tools.

    ``npy``: ``vectors.npy [sentences, E]`` (float32) and ``ids.npy [sentences]``. ``pt``: ``vectors.pt``, a tensor
    artifact of kind ``pooled_memory`` with the same two.

    Returns:
        The files written.

    Raises:
        StageformerError: as :func:`pooled`, the format is not one of ``FORMATS``, or there is too little disk; nothing
            is written then.
    """
    if format not in FORMATS:
        raise StageformerError(f"format {format!r} is unknown; choose one of {', '.join(FORMATS)}")
    check_disk(folder, len(store) * (4 * store.width + 8) + 8192)
    vectors = pooled(store, how)
    names = ("vectors.npy", "ids.npy") if format == "npy" else ("vectors.pt",)
    with atomic_folder(folder, ("vectors.npy", "ids.npy", "vectors.pt")) as new:
        if format == "pt":
            tensors = {"vectors": vectors, "ids": torch.from_numpy(store.ids)}
            write_tensors(new / "vectors.pt", "pooled_memory", tensors, {"fingerprint": store.fingerprint, "how": how})
        else:
            for name, array in zip(names, (vectors.numpy(), store.ids), strict=True):
                with atomic_file(new / name) as file:
                    np.save(file, array)
    return [folder / name for name in names]
