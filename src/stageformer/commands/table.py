"""The command ``stageformer table``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("experiments", nargs=-1, required=True, metavar="EXP...")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "csv", "latex", "json"]),
    default="text",
    show_default=True,
    help="LaTeX needs the package booktabs.",
)
@json_option
@root_option
def table(experiments: tuple[str, ...], format_: str, as_json: bool, root: Path | None) -> None:
    """Lay any number of experiments side by side: parameters in which they differ, and scores with intervals.

    Each EXP is a git revision, the name of a DVC experiment, the folder of another copy of this repository, or
    `workspace`. Nothing is checked out. Whether one of two is better, `stageformer compare` tells.
    """
    from stageformer.experiments.experiment import Experiment
    from stageformer.experiments.table import make_table
    from stageformer.params.root import find_root
    from stageformer.terminal.table_text import FORMATS

    found = find_root(root)
    made = make_table([Experiment.open(spec, found, Path()) for spec in experiments])
    echo(FORMATS["json" if as_json else format_](made))
