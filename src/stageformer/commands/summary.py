"""The command ``stageformer summary``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.option("--examples", type=click.IntRange(min=0), default=12, show_default=True, help="Number of translations.")
@json_option
@root_option
def summary(examples: int, as_json: bool, root: Path | None) -> None:
    """Show the scores of the last run and some translations beside their references."""
    from stageformer.params.root import find_root
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.summary import summary as library

    found = library(find_root(root), examples=examples)
    echo(json_text(found.as_dict()) if as_json else found.text())
