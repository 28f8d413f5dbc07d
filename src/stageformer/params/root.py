"""The root of a repository: the folder that holds its pipeline and its parameters."""

from __future__ import annotations

import os
from pathlib import Path

from stageformer.errors import StageformerError


def find_root(named: Path | None = None) -> Path:
    """Return the root of the repository that a command works on.

    Args:
        named: the root that the user named; None: the current folder, or the nearest above it that is a root.

    Returns:
        The root, relative to the current folder where the user named none.

    Raises:
        StageformerError: the named folder is not a root, or neither the current folder nor one above it is.
    """
    if named is not None:
        if not is_root(named):
            raise StageformerError(f"{named}: not a repository of Stageformer: it needs dvc.yaml and params.yaml")
        return named
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_root(folder):
            return Path(os.path.relpath(folder, here))
    raise StageformerError(
        f"{here}: neither this folder nor one above it is a repository of Stageformer (with dvc.yaml and params.yaml); "
        "go into one, or name it with --root"
    )


def is_root(folder: Path) -> bool:
    """Say whether a folder is the root of a repository.

    Without its params.yaml it is one if it has recipes, from which `stageformer use` makes the file again.
    """
    parameters = ("params.yaml", "recipes/default.yaml")
    return (folder / "dvc.yaml").is_file() and any((folder / name).is_file() for name in parameters)
