"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the repository. Default: the current folder, or the nearest above it that is one.",
)
params_option = click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parameter file. Default: params.yaml of the repository.",
)
