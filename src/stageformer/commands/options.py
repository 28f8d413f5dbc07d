"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.params.root import find_root

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the repository. Default: the current folder, or the nearest above it that is one.",
)
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that `stageformer export` wrote. Default: what the pipeline of the repository made.",
)
params_option = click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parameter file. Default: params.yaml of the repository.",
)


def model_folder(model: Path | None, root: Path | None) -> Path:
    """Return the folder that `--model` names, or the root of the repository.

    Raises:
        UsageError: both options are given.
        StageformerError: as :func:`find_root`.
    """
    if model is not None and root is not None:
        raise click.UsageError("give --model or --root, not both")
    return model or find_root(root)
