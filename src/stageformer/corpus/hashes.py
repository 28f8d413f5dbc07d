"""Sets of texts of which only hashes are in memory, as sorted arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_LONGEST = 2**20


def hashes(texts: Iterable[tuple[str, ...]]) -> Hashes:
    """Return a hash of 64 bits for each of these texts, or pairs of texts.

    That any two of n texts have the same has a chance of ``n ** 2 / 2 ** 65``: 3e-6 for 10 million, 3e-4 for 100
    million. If it happens, one of them is mistaken for a duplicate of the other.
    """
    return np.frombuffer(b"".join(map(_digest, texts)), dtype="<u8")


def _digest(texts: tuple[str, ...]) -> bytes:
    framed = "".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.blake2b(framed.encode(), digest_size=8).digest()


class HashSet:
    """A set of hashes that takes 8 bytes for each, where a ``set`` of ``int`` takes 60 or more.

    The hashes are in a few sorted arrays, each searched by bisection. New hashes are merged with the arrays that are
    not twice as long, which keeps the arrays few. They grow to 8 MiB: to merge longer ones would need more memory.
    """

    def __init__(self) -> None:
        self._arrays: list[Hashes] = []

    def add(self, found: Hashes) -> NDArray[np.bool_]:
        """Add hashes, and return which of them are new: not in the set, and the first of their kind in ``found``."""
        is_new = np.zeros(len(found), dtype=bool)
        is_new[np.unique(found, return_index=True)[1]] = True
        is_new &= ~self.contains(found)
        added = np.sort(found[is_new])
        while self._arrays and len(last := self._arrays[-1]) < min(2 * len(added), _LONGEST - len(added)):
            self._arrays.pop()
            added = np.sort(np.concatenate([last, added]))
        if len(added):
            self._arrays.append(added)
        return is_new

    def update(self, other: HashSet) -> None:
        """Add all hashes of another set."""
        for array in other._arrays:
            self.add(array)

    def contains(self, found: Hashes) -> NDArray[np.bool_]:
        """Return which of these hashes are in the set."""
        is_in = np.zeros(len(found), dtype=bool)
        order = np.argsort(found)  # neighbours are found in the same part of an array, which is then in the cache
        ordered = found[order]
        for array in self._arrays:
            places = np.searchsorted(array, ordered)
            is_in[order] |= array[np.minimum(places, len(array) - 1)] == ordered
        return is_in

    def __len__(self) -> int:
        return sum(map(len, self._arrays))
