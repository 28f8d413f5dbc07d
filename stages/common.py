"""What every stage script does around its one library call: read its parameters, and tell mistakes in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from stageformer.errors import StageformerError, did_you_mean, friendly
from stageformer.params.base import parse
from stageformer.params.reading import read_yaml

__all__ = ["friendly", "read_group", "read_yaml"]

P = TypeVar("P")


def read_group(path: Path, name: str, cls: type[P]) -> P:
    """Read one group of ``params.yaml`` into its class. Raises StageformerError on any mistake in the group."""
    values = read_yaml(path)
    if name not in values:
        raise StageformerError(f"{path}: the group {name} is missing{did_you_mean(name, values)}")
    return parse(cls, values[name], name)
