"""Stores of made-up memory, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.memory.writer import MemoryWriter

D = 4
LENGTHS = [3, 1, 5, 2, 2, 7, 1]


def reference(lengths: list[int]) -> list[torch.Tensor]:
    """The memory of each sentence, ``[length, D]``, exact in each of the formats."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(-64, 64, (length, D), generator=generator).float() for length in lengths]


def write(
    folder: Path, lengths: list[int] = LENGTHS, dtype: str = "float32", shard_tokens: int = 8, fingerprint: str = "abc",
    batch: int = 2, first_id: int = 100,
) -> list[torch.Tensor]:  # fmt: skip
    sentences = reference(lengths)
    ids = first_id + 3 * np.arange(len(lengths))
    ids.flags.writeable = False  # As columns of a table are.
    writer = MemoryWriter(
        folder, ids, np.array(lengths, dtype=np.int64), width=D, dtype=dtype, fingerprint=fingerprint,
        shard_tokens=shard_tokens,
    )  # fmt: skip
    for shard in writer.shards():
        by_length = sorted(shard.rows, key=lambda row: -lengths[row])
        for start in range(0, len(by_length), batch):
            rows = by_length[start : start + batch]
            width = max(lengths[row] for row in rows) + 1  # One place of padding more than needed.
            memory, present = torch.full((len(rows), width, D), 999.0), torch.zeros(len(rows), width, dtype=torch.bool)
            for i, row in enumerate(rows):
                memory[i, : lengths[row]] = sentences[row]
                present[i, : lengths[row]] = True
            shard.put(np.array(rows), memory, present)
    return sentences


def padded(sentences: list[torch.Tensor], rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max((len(sentences[row]) for row in rows), default=0)
    memory, mask = torch.zeros(len(rows), width, D), torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        memory[i, : len(sentences[row])] = sentences[row]
        mask[i, : len(sentences[row])] = True
    return memory, mask


def change(path: Path, tensors: dict | None = None, **metadata: object) -> None:
    found = read_tensors(path, "memory")
    write_tensors(path, "memory", {**found.tensors, **(tensors or {})}, {**found.metadata, **metadata})
