"""The command ``stageformer show``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Option, json_option
from stageformer.commands.paths import existing
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--id", "sentence", cls=Option, excludes=("--rows",), type=int, help="Show the sentence with this id.")
@click.option(
    "--rows", type=click.IntRange(min=0), default=5, show_default=True, help="Sentences or entries in the sample."
)
@json_option
def show(path: Path, sentence: int | None, rows: int, as_json: bool) -> None:
    """Show what the artifact PATH is, who made it from what, its shapes and a readable sample.

    PATH is a table, a tensor file, a JSON file or a folder of them, such as data/vocab or data/encode/train; it is
    relative to the current folder.
    """
    from stageformer.params.reading import read_yaml
    from stageformer.terminal import show as library

    existing(path)
    lock = next((folder / "dvc.lock" for folder in path.resolve().parents if (folder / "dvc.lock").exists()), None)
    values, root = (read_yaml(lock), lock.parent) if lock else (None, Path())
    if as_json:
        from stageformer.terminal.json_text import json_text
        from stageformer.terminal.show_json import show_json

        echo(json_text(show_json(path, rows=rows, sentence=sentence, lock=values, root=root)))
        return
    echo(library.show(path, rows=rows, sentence=sentence, lock=values, root=root))
