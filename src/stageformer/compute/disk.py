"""How much disk the memory of sentences takes, and whether it is there.

This module does not import torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stageformer.errors import StageformerError

ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a number in each format of ``encode.dtype``."""
BYTES_BESIDE_VALUES = 8192
"""An upper bound on what a shard takes beside its values, offsets and ids."""


def required_bytes(num_tokens: int, num_sentences: int, width: int, dtype: str, num_shards: int = 1) -> int:
    """Return the bytes that memory needs on disk: exact up to ``BYTES_BESIDE_VALUES`` a shard, and never too few."""
    return num_tokens * width * ITEM_BYTES[dtype] + num_sentences * 16 + num_shards * BYTES_BESIDE_VALUES


def check_disk(folder: Path, needed: int) -> None:
    """Raise StageformerError unless the disk that ``folder`` is or will be on has ``needed`` bytes free."""
    free = free_bytes(folder)
    if needed > free:
        raise StageformerError(
            f"{folder}: needs {needed / 2**20:,.1f} MiB of disk, {free / 2**20:,.1f} MiB are free; make room, "
            "or choose a smaller encode.dtype"
        )


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free on the disk that ``folder`` is or will be on."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free
