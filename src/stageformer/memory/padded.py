"""Padded copies of the memory, for tools that know nothing of shards and offsets.

``npy``: a folder of ``memory.npy [sentences, S, E]``, ``mask.npy [sentences, S]`` (bool, True where there is a token),
``lengths.npy`` and ``ids.npy`` (``[sentences]``). ``pt``: a folder of ``padded-00000.pt`` and on, tensor artifacts of
kind ``padded_memory`` with the same four for ``SENTENCES_PER_PART`` sentences each. S is the longest sentence of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stageformer.artifacts.files import atomic_file, atomic_folder
from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tensors import is_finite, write_tensors
from stageformer.batching.sentences import presence
from stageformer.compute.disk import check_disk
from stageformer.errors import StageformerError
from stageformer.memory.store import DTYPES, MemoryStore

FORMATS = ("npy", "pt")
SENTENCES_PER_PART = 1024


def padded_dtype(store: MemoryStore, format: str) -> str:
    """Return the number format of the copy: that of the store, but float32 for bfloat16 in ``npy``, which lacks it."""
    return "float32" if format == "npy" and store.dtype == "bfloat16" else store.dtype


def padded_bytes(store: MemoryStore, format: str) -> int:
    """Return the bytes that :func:`export_padded` will write, at most."""
    width = int(store.lengths.max(initial=0))
    row = width * store.width * DTYPES[padded_dtype(store, format)].itemsize + width + 16
    return len(store) * row + 8192 * (len(store) // SENTENCES_PER_PART + 1)


def export_padded(store: MemoryStore, folder: Path, format: str) -> list[Path]:
    """Replace ``folder`` by a padded copy of the whole store, in order, with no more than one part of it in memory.

    Returns:
        The files written.

    Raises:
        StageformerError: the format is not one of ``FORMATS``, or there is too little disk; nothing is written then.
            A number of the store is not finite.
    """
    if format not in FORMATS:
        raise StageformerError(f"format {format!r} is unknown; choose one of {', '.join(FORMATS)}")
    check_disk(folder, padded_bytes(store, format))
    with atomic_folder(folder, (*(f"{name}.npy" for name in _ARRAYS), "padded-*.pt")) as new:
        names = _export_npy(store, new) if format == "npy" else _export_pt(store, new)
    return [folder / name for name in names]


_ARRAYS = ("memory", "mask", "lengths", "ids")


def _parts(store: MemoryStore, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield, part by part, its sentences, their memory ``[part, S, E]`` and presence ``[part, S]``."""
    width = int(store.lengths.max(initial=0))
    for start in range(0, len(store), SENTENCES_PER_PART) or [0]:
        part = slice(start, min(start + SENTENCES_PER_PART, len(store)))
        memory, present = store.batch(np.arange(part.start, part.stop), width)
        if not is_finite(memory):
            raise StageformerError(f"{store.folder}: holds numbers that are not finite{rerun_hint('memory')}")
        yield part, memory.to(dtype), present


def _export_npy(store: MemoryStore, folder: Path) -> list[str]:
    shape = (len(store), int(store.lengths.max(initial=0)), store.width)
    dtype = padded_dtype(store, "npy")
    parts = (memory.numpy() for _, memory, _ in _parts(store, DTYPES[dtype]))
    _write_npy(folder / "memory.npy", np.dtype(dtype), shape, parts)
    present = presence(store.lengths, shape[1])
    _write_npy(folder / "mask.npy", present.dtype, present.shape, [present])
    _write_npy(folder / "lengths.npy", store.lengths.dtype, store.lengths.shape, [store.lengths])
    _write_npy(folder / "ids.npy", store.ids.dtype, store.ids.shape, [store.ids])
    return [f"{name}.npy" for name in _ARRAYS]


def _write_npy(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[npt.NDArray[Any]]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with atomic_file(path) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


def _export_pt(store: MemoryStore, folder: Path) -> list[str]:
    names = []
    metadata = {"d_model": store.width, "dtype": store.dtype, "fingerprint": store.fingerprint}
    num_parts = max(1, -(-len(store) // SENTENCES_PER_PART))
    for index, (part, memory, present) in enumerate(_parts(store, DTYPES[store.dtype])):
        tensors = {
            "memory": memory,
            "mask": present,
            "lengths": torch.from_numpy(store.lengths[part]),
            "ids": torch.from_numpy(store.ids[part]),
        }
        names.append(f"padded-{index:05d}.pt")
        write_tensors(folder / names[-1], "padded_memory", tensors, {**metadata, "part": index, "num_parts": num_parts})
    return names
