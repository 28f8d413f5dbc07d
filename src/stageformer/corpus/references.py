"""Further translations of a source that a test set gives more than once."""

from __future__ import annotations

import os
from array import array
from functools import cached_property
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from stageformer.corpus.hashes import Hashes, HashSet, hashes


class References:
    """Collects the targets of rows with equal sources: the text in a file, hashes and positions in memory.

    First all rows are added, then the targets are asked for.

    Args:
        texts: an empty temporary file, open for writing and reading. Where other processes ask for targets, it has a
            name: they open it themselves.
    """

    def __init__(self, texts: IO[bytes]) -> None:
        self._texts = texts
        self._size = 0
        self._sources = HashSet()
        self._pairs = HashSet()
        # Of each merged row, in reading order: the hash of its source, and where in the file its target begins and
        # ends; twice the same place where the target was there before.
        self._merged = array("Q")
        self._begins = array("Q")
        self._ends = array("Q")

    def __getstate__(self) -> dict[str, Any]:
        """Return what is needed to ask for targets in another process."""
        self._texts.flush()
        left_out = {"_texts", "_sources", "_pairs"}
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        return state | {"_in_order": self._in_order, "path": os.path.abspath(self._texts.name)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over the state of another process."""
        self._texts = open(state.pop("path"), "rb")
        vars(self).update(state)

    def add(self, split: str, rows: list[tuple[str, str]]) -> NDArray[np.bool_]:
        """Take in rows of source and target; return which of them merge into an earlier one of the same source."""
        sources = hashes((split, source) for source, _ in rows)
        is_merged = ~self._sources.add(sources)
        is_new_pair = self._pairs.add(hashes((split, *row) for row in rows))
        for row in np.flatnonzero(is_merged).tolist():
            text = rows[row][1].encode() if is_new_pair[row] else b""
            self._texts.write(text)
            self._merged.append(int(sources[row]))
            self._begins.append(self._size)
            self._size += len(text)
            self._ends.append(self._size)
        return is_merged

    def of(self, split: str, source: str, target: str) -> tuple[list[str], int]:
        """Return the distinct targets of a source in reading order, and how many rows were merged into its first.

        Args:
            split: the split of the first row.
            source: its source.
            target: its target, which comes first.
        """
        ordered, order = self._in_order
        key = hashes([(split, source)])[0]
        merged = order[slice(*(int(np.searchsorted(ordered, key, side)) for side in ("left", "right")))]
        targets = [target]
        for row in merged.tolist():
            begin, end = self._begins[row], self._ends[row]
            if end > begin:
                self._texts.seek(begin)
                targets.append(self._texts.read(end - begin).decode())
        return targets, len(merged)

    @cached_property
    def _in_order(self) -> tuple[Hashes, NDArray[np.int64]]:
        """The hashes of the merged rows, sorted, and the number of each row; rows of one source in reading order."""
        found = np.frombuffer(self._merged, dtype=np.uint64)
        order = np.argsort(found, kind="stable")
        return found[order], order
