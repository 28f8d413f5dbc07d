"""Write the memory store, one shard at a time."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stageformer.artifacts.header import rerun_hint
from stageformer.artifacts.tensors import is_finite, write_tensors
from stageformer.batching.sentences import Ints, flat_places, presence
from stageformer.compute.disk import check_disk, required_bytes
from stageformer.errors import StageformerError
from stageformer.memory.store import DTYPES, empty_path, shard_path


class MemoryShard:
    """One shard while it is filled: the rows of the table that it holds, and their memory.

    Args:
        rows: the rows.
        ids: sentence ids of these rows. Shape: ``[rows]``.
        lengths: number of vectors of each sentence of the whole table. Shape: ``[sentences]``.
        width: E of the memory.
        dtype: number format of the values.
        buffer: bytes for the values, at least as many as they need; the shard is worth nothing once another one uses
            them.
    """

    def __init__(
        self, rows: range, ids: Ints, lengths: Ints, width: int, dtype: torch.dtype, buffer: npt.NDArray[np.uint8]
    ) -> None:
        self.rows = rows
        self.ids = ids
        self.offsets = np.concatenate([[0], np.cumsum(lengths[rows.start : rows.stop])]).astype(np.int64)
        num_tokens = int(self.offsets[-1])
        # A tensor of exactly these bytes: a view of a larger one would be copied to be saved.
        taken = torch.from_numpy(buffer[: num_tokens * width * dtype.itemsize])
        self.values = taken.view(num_tokens, width * dtype.itemsize).view(dtype)
        self._missing = np.ones(len(rows), dtype=bool)

    @property
    def num_missing(self) -> int:
        """Number of sentences that have not been put yet."""
        return int(self._missing.sum())

    def put(self, rows: Ints | Tensor, memory: Tensor, present: Tensor) -> None:
        """Take the memory of a batch of sentences of this shard, in any order.

        Args:
            rows: rows of the sentences in the whole table, all of them in ``self.rows``. Shape: ``[B]``.
            memory: of these sentences; what is not present is left out. Shape: ``[B, S, E]``.
            present: True where there is a vector: as many of each sentence as was planned. Shape: ``[B, S]``.

        Raises:
            ValueError: a row belongs to another shard, or the shapes or lengths are not those planned.
            StageformerError: a number is not finite, or too large for the format of the store.
        """
        local = np.asarray(rows, dtype=np.int64) - self.rows.start
        if len(local) and (local.min() < 0 or local.max() >= len(self.rows)):
            raise ValueError(f"rows {local.min() + self.rows.start} to {local.max() + self.rows.start} in {self.rows}")
        lengths = self.offsets[local + 1] - self.offsets[local]
        planned = presence(lengths, max(memory.shape[1], int(lengths.max(initial=0))))
        if tuple(memory.shape) != (*planned.shape, self.values.shape[1]) or not np.array_equal(present.cpu(), planned):
            raise ValueError(
                f"memory of shape {tuple(memory.shape)} with {present.sum(1).tolist()} vectors for sentences of "
                f"lengths {lengths.tolist()} and width {self.values.shape[1]}"
            )
        vectors = memory[present].detach().cpu()
        values = vectors.to(self.values.dtype)
        if not is_finite(values):
            raise self._not_finite(local, lengths, vectors, values)
        self.values[torch.from_numpy(flat_places(self.offsets[local], lengths))] = values
        self._missing[local] = False

    def _not_finite(self, local: Ints, lengths: Ints, vectors: Tensor, values: Tensor) -> StageformerError:
        token = int((~torch.isfinite(values)).any(1).nonzero()[0])
        row = int(np.searchsorted(np.cumsum(lengths), token, side="right"))
        what = f"the memory of sentence {self.ids[local[row]]}"
        if is_finite(vectors):
            largest, dtype = torch.finfo(values.dtype).max, str(values.dtype).removeprefix("torch.")
            return StageformerError(
                f"{what} holds numbers beyond {largest:,.0f}, the largest of {dtype}; choose bfloat16 or float32 as "
                "encode.dtype"
            )
        return StageformerError(
            f"{what} holds numbers that are not finite (NaN or infinite): its maker is broken{rerun_hint('encoder')}"
        )


class MemoryWriter:
    """Writes the memory of one split, one shard at a time, so that no more than one is in RAM.

    Args:
        folder: of the split, such as ``data/encode/train``. Shards of an earlier run in it are removed first.
        ids: sentence ids, in the order of the table. Shape: ``[sentences]``.
        lengths: number of vectors of each sentence. Shape: ``[sentences]``.
        width: E of the memory.
        dtype: number format on disk: a key of ``DTYPES``.
        fingerprint: names the maker.
        shard_tokens: most tokens of a shard; a longer sentence has a shard of its own.
        kept: the layers of the maker that stand side by side, whose number divides E; None: its output alone.

    Use::

        for shard in writer.shards():
            for rows in batches_of(shard.rows):
                shard.put(rows, *source.encode(...))
    """

    def __init__(
        self, folder: Path, ids: Ints, lengths: Ints, *, width: int, dtype: str, fingerprint: str, shard_tokens: int,
        kept: list[int] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.ids = np.asarray(ids, dtype=np.int64)
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.plan = _plan_shards(self.lengths, shard_tokens)
        self.width = width
        self.dtype = dtype
        self.fingerprint = fingerprint
        self.kept = kept

    @property
    def required_bytes(self) -> int:
        """Bytes that the split will take on disk, at most."""
        return required_bytes(int(self.lengths.sum()), len(self.ids), self.width, self.dtype, len(self.plan))

    def shards(self, rank: int = 0, size: int = 1) -> Iterator[MemoryShard]:
        """Yield each shard to be filled, and write it when the next one is asked for, which takes its memory over.

        Args:
            rank: of ``size`` processes, which each write every ``size``-th shard, this one.
            size: number of processes.

        Raises:
            StageformerError: there is not enough disk, which is seen before anything is written.
            ValueError: a shard was not filled.
        """
        check_disk(self.folder, self.required_bytes)
        empty_path(self.folder).unlink(missing_ok=True)
        for old in self.folder.glob("memory-*.pt"):
            if int(old.stem.removeprefix("memory-")) % size == rank:  # the others may have written theirs already
                old.unlink()
        own = list(enumerate(self.plan))[rank::size]
        # One buffer for all, and mapped: a shard rarely fits where another was, and malloc would keep room for both.
        dtype = DTYPES[self.dtype]
        largest = max((int(self.lengths[rows.start : rows.stop].sum()) for _, rows in own), default=0)
        num_bytes = max(1, largest * self.width * dtype.itemsize)
        pages = mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        buffer = np.frombuffer(pages, dtype=np.uint8)
        for index, rows in own:
            shard = MemoryShard(rows, self.ids[rows.start : rows.stop], self.lengths, self.width, dtype, buffer)
            yield shard
            if shard.num_missing:
                raise ValueError(f"{shard.num_missing} of the {len(rows)} sentences of shard {index} are missing")
            tensors = {
                "values": shard.values,
                "offsets": torch.from_numpy(shard.offsets),
                "ids": torch.tensor(shard.ids),
            }
            metadata = {
                "d_model": self.width,
                "dtype": self.dtype,
                "fingerprint": self.fingerprint,
                "num_sentences": len(rows),
                "num_tokens": len(shard.values),
                "shard": index,
                "num_shards": len(self.plan),
                "total_sentences": len(self.ids),
                "total_tokens": int(self.lengths.sum()),
            } | ({} if self.kept is None else {"layers": self.kept})
            write_tensors(shard_path(self.folder, index), "memory", tensors, metadata)


def _plan_shards(lengths: Ints, shard_tokens: int) -> list[range]:
    """Cut the sentences, in order, into shards of at most ``shard_tokens`` tokens, and at least one sentence."""
    ends = np.cumsum(lengths)
    starts, start, before = [0], 0, 0
    while start < len(lengths):
        start = max(int(np.searchsorted(ends, before + shard_tokens, side="right")), start + 1)
        before = int(ends[start - 1])
        starts.append(start)
    # A split without sentences has one empty shard: a folder without a shard is one that was never written.
    return [range(a, b) for a, b in itertools.pairwise(starts)] or [range(0)]
