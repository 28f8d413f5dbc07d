"""The command ``stageformer summary``."""

from __future__ import annotations

import click

from stageformer.errors import friendly


@click.command()
@click.option("--examples", type=click.IntRange(min=0), default=12, show_default=True, help="Number of translations.")
@friendly
def summary(examples: int) -> None:
    """Show the scores of the last run and some translations beside their references."""
    from stageformer.terminal.summary import summary as library

    click.echo(library(examples=examples))
