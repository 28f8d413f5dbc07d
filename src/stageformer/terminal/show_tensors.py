"""The facts and the sample of tensor artifacts and of the memory. Imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from stageformer.artifacts.tensors import is_finite, read_tensors
from stageformer.memory.store import MemoryStore
from stageformer.terminal.show_tables import Facts, rows_beside
from stageformer.terminal.text import columns, flat_fields, labelled


def tensor_line(path: Path) -> str:
    """Return kind and size of a tensor artifact. Raises StageformerError if it is damaged or foreign."""
    found = read_tensors(path, verify=False)
    return f"{found.kind}, {len(found.tensors)} tensors, {_num_numbers(found.tensors.values()):,} numbers"


def memory_line(folder: Path) -> str:
    """Return the size of a split's memory. Raises StageformerError if it is not whole."""
    store = MemoryStore(folder)
    return f"memory, {len(store):,} sentences, {store.lengths.sum():,} tokens, D {store.width}, {store.dtype}"


def show_tensor_file(path: Path, width: int) -> tuple[str, Facts, list[str]]:
    """Return kind, facts and the lines about each tensor. Raises StageformerError if it is damaged or foreign."""
    found = read_tensors(path)
    facts = [
        ("tensors", f"{len(found.tensors)}, {_num_numbers(found.tensors.values()):,} numbers in all"),
        ("checksums", "good"),
        *_not_finite(name for name, tensor in found.tensors.items() if not is_finite(tensor)),
        *flat_fields(found.metadata),
    ]
    rows = [["tensor", "shape", "type", "mean", "std", "min", "max"]]
    for name, tensor in found.tensors.items():
        shape = "[" + ", ".join(map(str, tensor.shape)) + "]"
        rows.append([name, shape, str(tensor.dtype).removeprefix("torch."), *_statistics(tensor)])
    return found.kind, facts, columns(rows, right=(3, 4, 5, 6)) if found.tensors else []


def show_memory(folder: Path, rows: int, sentence: int | None, width: int) -> tuple[str, Facts, list[str]]:
    """Return kind, facts and the lines about some sentences of a split's memory.

    Raises:
        StageformerError: it is not whole, a shard is damaged, or the sentence is not in it.
    """
    shards = sorted(folder.glob("memory-*.pt"))
    damaged = []
    for shard in tqdm(shards, desc="checksums", unit="shard", disable=None, leave=False):
        if not all(map(is_finite, read_tensors(shard, "memory").tensors.values())):
            damaged.append(shard.name)
    store = MemoryStore(folder)
    facts = [
        (
            "shape",
            f"[{len(store):,} sentences, up to {store.lengths.max(initial=0)} tokens, {store.width}], {store.dtype}",
        ),
        ("tokens", f"{store.lengths.sum():,} in {len(shards)} shards, padding left out"),
        ("lengths", _lengths(store)),
        ("encoder", f"fingerprint {store.fingerprint}"),
        ("checksums", "good"),
        *_not_finite(damaged),
    ]
    shown = np.arange(min(rows, len(store))) if sentence is None else store.rows_of(np.array([sentence]))
    tokens = rows_beside(folder.absolute().parents[1], folder.name, "tokens", store.ids[shown].tolist())
    lines: list[str] = []
    for row in shown:
        memory = store.batch(np.array([row]))[0][0]
        fields = [("memory", f"[{len(memory)}, {store.width}]")]
        if memory.numel():
            mean, std, *_ = _statistics(memory)
            fields[0] = ("memory", f"[{len(memory)}, {store.width}], mean {mean}, std {std}")
        if beside := tokens.get(int(store.ids[row])):
            fields.append(("tokens", " ".join([*beside["source_tokens"], "<eos>"])))
        lines += [f"sentence {store.ids[row]}, {store.lengths[row]} tokens", *labelled(fields, width), ""]
    return "memory", facts, lines[:-1]


def _not_finite(names: Iterable[str]) -> Facts:
    """Return the fact that some numbers are NaN or infinite, or nothing where none is."""
    found = ", ".join(names)
    return [("numbers", f"NaN or infinite in {found}")] if found else []


def _lengths(store: MemoryStore) -> str:
    if not len(store):
        return "no sentences"
    low, middle, high = np.percentile(store.lengths, [0, 50, 100])
    return f"{low:.0f} to {high:.0f} tokens, median {middle:.0f}"


def _num_numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _statistics(tensor: Tensor) -> list[str]:
    found = statistics(tensor)
    return [f"{value:.4g}" for value in found.values()] if found else [""] * 4


def statistics(tensor: Tensor) -> dict[str, float]:
    """Return mean, standard deviation, minimum and maximum of a tensor; {} of an empty one and of truth values."""
    if not tensor.numel() or tensor.dtype == torch.bool:
        return {}
    values = tensor.double()
    found = {"mean": values.mean(), "std": values.std(correction=0), "min": values.min(), "max": values.max()}
    return {name: value.item() for name, value in found.items()}
