"""Further translations of a source that a test set gives more than once."""

from __future__ import annotations

from array import array
from functools import cached_property
from typing import IO

import numpy as np
import numpy.typing as npt

from stageformer.corpus.hashes import FINGERPRINT_BYTES, FingerprintSet, fingerprint

_KEY = np.dtype(f"S{FINGERPRINT_BYTES}")


class References:
    """Collects the targets of rows with equal sources: the text in a file, fingerprints and positions in memory.

    First all rows are added, then the targets are asked for.

    Args:
        texts: an empty temporary file, open for writing and reading.
    """

    def __init__(self, texts: IO[bytes]) -> None:
        self._texts = texts
        self._size = 0
        self._sources = FingerprintSet()
        self._pairs = FingerprintSet()
        # Of each merged row, in reading order: its key, and where in the file its target begins and ends; twice the
        # same place where the target was there before.
        self._merged_keys = bytearray()
        self._begins = array("Q")
        self._ends = array("Q")

    def add(self, split: str, source: str, target: str) -> bool:
        """Take in a row, and return whether it is merged into an earlier one of the same split and source."""
        key = fingerprint(split, source)
        repeated = not self._sources.add(key)
        new_pair = self._pairs.add(fingerprint(split, source, target))
        if repeated:
            text = target.encode() if new_pair else b""
            self._texts.write(text)
            self._merged_keys += key
            self._begins.append(self._size)
            self._size += len(text)
            self._ends.append(self._size)
        return repeated

    def of(self, split: str, source: str, target: str) -> tuple[list[str], int]:
        """Return the distinct targets of a source in reading order, and how many rows were merged into its first.

        Args:
            split: the split of the first row.
            source: its source.
            target: its target, which comes first.
        """
        keys, order = self._by_key
        key = np.array(fingerprint(split, source), dtype=_KEY)
        merged = order[slice(*(int(np.searchsorted(keys, key, side)) for side in ("left", "right")))]
        targets = [target]
        for row in merged.tolist():
            begin, end = self._begins[row], self._ends[row]
            if end > begin:
                self._texts.seek(begin)
                targets.append(self._texts.read(end - begin).decode())
        return targets, len(merged)

    @cached_property
    def _by_key(self) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
        """The keys of the merged rows in order, and the number of each row; rows of one key in reading order."""
        keys = np.frombuffer(bytes(self._merged_keys), dtype=_KEY)
        order = np.argsort(keys, kind="stable")
        return keys[order], order
