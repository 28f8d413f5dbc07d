"""Small CSV tables for the plots of a report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stageformer.artifacts import atomic_file


def write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[int | float | str, ...]]) -> None:
    """Write rows of numbers and plain words under a header. Raises StageformerError when the disk is full."""
    with atomic_file(path) as file:
        for row in (columns, *rows):
            file.write(",".join(map(str, row)).encode() + b"\n")
