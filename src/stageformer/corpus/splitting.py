"""Which split a group belongs to."""

from __future__ import annotations

import hashlib


def split_of(group: str, seed: int, valid_fraction: float, test_fraction: float) -> str:
    """Return the split of a group: decided by its name and the seed alone.

    Adding groups to the corpus, or taking some away, never moves another group. A larger ``valid_fraction`` only moves
    groups from train to valid.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big")
    position = number / 2**64
    if position < test_fraction:
        return "test"
    return "valid" if position < test_fraction + valid_fraction else "train"
