"""Vectors in the binary format of word2vec: a line ``N E``, then each word, a blank and its E numbers of 32 bits."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch

from stageformer.errors import StageformerError
from stageformer.vectors.base import Found

_BLOCK = 2**22
_LONGEST_WORD = 2**16


def read(path: Path, file: IO[bytes] | gzip.GzipFile, words: Sequence[str]) -> Found:
    """Return the vectors of those words that the file has.

    Raises:
        StageformerError: the file has no such header, ends too early, or a vector that is wanted is not finite.
    """
    fields = file.readline(64).split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 19 for field in fields):
        raise StageformerError(f"{path}: no binary file of word2vec: the first line is not `vectors width`")
    count, width = map(int, fields)
    size = 4 * width
    places = {word.encode(): place for place, word in enumerate(words)}
    found: dict[int, bytes] = {}
    buffer, start = b"", 0
    for number in range(count):
        while (end := buffer.find(b" ", start)) < 0 or end + 1 + size > len(buffer):
            block = file.read(_BLOCK)
            if not block or (end < 0 and len(buffer) - start > _LONGEST_WORD):
                raise StageformerError(f"{path}: cut off or damaged after {number:,} of {count:,} vectors")
            buffer, start = buffer[start:] + block, 0
        # Some writers end each vector with a line feed.
        place = places.get(buffer[start:end].lstrip(b"\n"))
        start = end + 1 + size
        if place is not None:
            found[place] = buffer[end + 1 : start]
    vectors = np.frombuffer(b"".join(found.values()), dtype="<f4").reshape(len(found), width)
    if not np.isfinite(vectors).all():
        raise StageformerError(f"{path}: a value is not finite (NaN or infinite)")
    return Found(torch.from_numpy(vectors.astype(np.float32)), list(found))
