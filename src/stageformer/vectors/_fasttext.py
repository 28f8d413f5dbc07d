"""Vectors in the binary format of fastText (Bojanowski et al. 2017), whose words are sums of their subwords.

The matrices of published models have several GB; they are mapped, and only the rows that are wanted are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch

from stageformer.errors import StageformerError
from stageformer.vectors.base import Found

MAGIC = struct.pack("<i", 793712314)
_VERSION = 12
_END_OF_SENTENCE = "</s>"


@dataclass(frozen=True)
class _Model:
    ids: dict[bytes, int]
    num_words: int
    """rows of the matrix before those of the subwords"""
    buckets: int
    shortest: int
    longest: int
    matrix: np.memmap[tuple[int, int], np.dtype[np.float32]]

    def rows(self, word: str, index: int | None) -> list[int]:
        """Return the rows whose mean is the vector of a word: its own, if it is listed, and those of its subwords."""
        own = [] if index is None else [index]
        if word == _END_OF_SENTENCE or not self.buckets:
            return own
        return own + [self.num_words + _hash(part) % self.buckets for part in self._subwords(word)]

    def _subwords(self, word: str) -> Iterator[str]:
        marked = f"<{word}>"
        for start in range(len(marked)):
            for length in range(self.shortest, self.longest + 1):
                end = start + length
                if end > len(marked):
                    break
                if length > 1 or 0 < start < len(marked) - 1:
                    yield marked[start:end]


def read(path: Path, words: Sequence[str]) -> Found:
    """Return the vectors of the words; of one that the file does not list, the mean of its subwords, if it has any.

    Raises:
        StageformerError: the file is no such model, is quantised or cut off, or a vector that is wanted is not finite.
    """
    model = _open(path)
    vectors, rows, composed = [], [], set()
    for place, word in enumerate(words):
        index = model.ids.get(word.encode())
        parts = model.rows(word, index)
        if not parts:
            continue
        vectors.append(np.asarray(model.matrix[parts], dtype=np.float64).mean(0))
        rows.append(place)
        if index is None:
            composed.add(place)
    found = torch.from_numpy(np.array(vectors, dtype=np.float32).reshape(len(rows), model.matrix.shape[1]))
    if not found.isfinite().all():
        raise StageformerError(f"{path}: a value is not finite (NaN or infinite)")
    return Found(found, rows, frozenset(composed))


def _open(path: Path) -> _Model:
    with path.open("rb") as file:
        try:
            if file.read(4) != MAGIC:
                raise StageformerError(f"{path}: no binary model of fastText")
            (version,) = _unpack(file, "<i")
            if version != _VERSION:
                raise StageformerError(f"{path}: version {version} of fastText's format; needed {_VERSION}")
            width, _, _, _, _, _, _, _, buckets, shortest, longest, _, _ = _unpack(file, "<12id")
            size, num_words, _, _, num_pruned = _unpack(file, "<3i2q")
            ids = _dictionary(file, size)
            file.seek(8 * max(0, num_pruned), 1)
            (is_quantised,) = _unpack(file, "<?")
            if is_quantised:
                raise StageformerError(f"{path}: quantised; take the model that is not (.bin rather than .ftz)")
            rows, columns = _unpack(file, "<2q")
            start = file.tell()
        except struct.error:
            raise StageformerError(f"{path}: cut off: it has no vectors") from None
    if columns != width or rows < num_words + (buckets if longest else 0):
        raise StageformerError(f"{path}: damaged: a matrix of {rows:,} x {columns} for {num_words:,} words x {width}")
    if path.stat().st_size < start + 4 * rows * columns:
        raise StageformerError(f"{path}: cut off: {rows:,} vectors of {columns} numbers do not fit into it")
    matrix = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=(rows, columns))
    words = {word: index for word, index in ids.items() if index < num_words}  # labels come after the words
    return _Model(words, num_words, buckets if longest else 0, shortest, longest, matrix)


def _dictionary(file: IO[bytes], size: int) -> dict[bytes, int]:
    """Read the entries: a word that ends with a zero, its count in 8 bytes, and its type in one."""
    ids: dict[bytes, int] = {}
    buffer, start = b"", 0
    while len(ids) < size:
        end = buffer.find(b"\0", start)
        if end < 0 or end + 10 > len(buffer):
            block = file.read(1 << 20)
            if not block:
                raise struct.error
            buffer, start = buffer[start:] + block, 0
            continue
        ids[buffer[start:end]] = len(ids)
        start = end + 10
    file.seek(start - len(buffer), 1)
    return ids


def _unpack(file: IO[bytes], form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _hash(text: str) -> int:
    """FNV-1a of 32 bits, over bytes with a sign, as fastText has it."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 & 0xFFFFFFFF
    return value
