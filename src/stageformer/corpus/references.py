"""Further translations of a source that a test set gives more than once."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import IO

from stageformer.corpus.splitting import digest


class References:
    """Collects the targets of rows with equal sources: the text in a file, digests and positions in memory.

    Args:
        texts: an empty temporary file, open for writing and reading.
    """

    def __init__(self, texts: IO[bytes]) -> None:
        self._texts = texts
        self._size = 0
        self._sources: set[bytes] = set()
        self._pairs: set[bytes] = set()
        self._places: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        self._merged: Counter[bytes] = Counter()

    def add(self, split: str, source: str, target: str) -> bool:
        """Take in a row, and return whether it is merged into an earlier one of the same split and source."""
        key, pair = digest(split, source), digest(split, source, target)
        repeated = key in self._sources
        self._sources.add(key)
        if repeated:
            self._merged[key] += 1
            if pair not in self._pairs:
                text = target.encode()
                self._texts.write(text)
                self._places[key].append((self._size, len(text)))
                self._size += len(text)
        self._pairs.add(pair)
        return repeated

    def of(self, split: str, source: str, target: str) -> tuple[list[str], int]:
        """Return the distinct targets of a source in reading order, and how many rows were merged into its first.

        Args:
            split: the split of the first row.
            source: its source.
            target: its target, which comes first.
        """
        key = digest(split, source)
        targets = [target]
        for offset, length in self._places.get(key, ()):
            self._texts.seek(offset)
            targets.append(self._texts.read(length).decode())
        return targets, self._merged[key]
