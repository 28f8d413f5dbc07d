"""The command ``stageformer nearest``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Number, json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("tokens", nargs=-1, required=True)
@click.option("--side", type=click.Choice(["source", "target"]), default="target", show_default=True,
              help="Whose embedding.")
@click.option("--number", type=Number(int, 1, 1000), default=5, show_default=True, help="Tokens for each.")
@json_option
@root_option
def nearest(tokens: tuple[str, ...], side: str, number: int, as_json: bool, root: Path | None) -> None:
    """Show which tokens have the vectors nearest to those of TOKENS, before and after training, by cosine.

    A token is one of the vocabulary, such as ▁server; the mark of its tokenizer may be left out.
    """
    from stageformer.params.root import find_root
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.nearest import neighbours, table

    found = neighbours(find_root(root), tokens, side, number)
    echo(json_text(found) if as_json else table(found))
