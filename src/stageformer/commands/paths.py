"""Paths of artifacts that the user names."""

from __future__ import annotations

import os
from pathlib import Path

from stageformer.errors import StageformerError
from stageformer.params.root import find_root


def existing(path: Path) -> Path:
    """Return the path if there is anything.

    Raises:
        StageformerError: there is not. The message says where it is if the root of the repository has it, and how to
            get it if it is an output of the pipeline.
    """
    if path.exists():
        return path
    try:
        root = find_root()
    except StageformerError:
        raise StageformerError(f"{path}: no such file or folder") from None
    if not path.is_absolute() and (root / path).exists():
        raise StageformerError(f"{path}: not in this folder, but in the root of the repository: {root / path}")
    from stageformer.experiments.missing import how_to_get

    inside = Path(os.path.relpath(path.absolute(), root.absolute()))
    how = f"; {how_to_get(inside.as_posix(), root)}" if inside.parts[0] in ("data", "reports") else ""
    raise StageformerError(f"{path}: no such file or folder{how}")
