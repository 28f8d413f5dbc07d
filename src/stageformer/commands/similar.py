"""The command ``stageformer similar``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Number, json_option, pooling_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("text")
@pooling_option
@click.option("--number", type=Number(int, 1, 1000), default=10, show_default=True, help="Sentences to show.")
@json_option
@root_option
def similar(text: str, how: str, number: int, as_json: bool, root: Path | None) -> None:
    """Show the sentences of train whose memory is nearest to that of TEXT, by cosine."""
    from stageformer.params.root import find_root
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.similar import similar_sentences, table

    found = similar_sentences(find_root(root), text, how, number)
    echo(json_text(found) if as_json else table(found))
