"""The command ``stageformer memory``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Output
from stageformer.commands.paths import existing
from stageformer.commands.program import command, group
from stageformer.console.output import echo


@group()
def memory() -> None:
    """Work with saved encoder output."""


@command("export")
@click.argument("split", type=click.Path(path_type=Path))
@click.argument("output", type=Output(is_folder=True))
@click.option(
    "--format", "format_", type=click.Choice(["npy", "pt"]), default="npy", show_default=True, help="Of the copy."
)
def export_memory(split: Path, output: Path, format_: str) -> None:
    """Write a padded copy of the memory in the folder SPLIT into the folder OUTPUT, for other tools."""
    from stageformer.memory.padded import export_padded, padded_bytes
    from stageformer.memory.store import MemoryStore

    store = MemoryStore(existing(split))
    width = store.lengths.max(initial=0)
    size = padded_bytes(store, format_) / 2**20
    echo(f"{output}: [{len(store)}, {width}, {store.width}] and mask, {size:,.1f} MiB", err=True)
    for path in export_padded(store, output, format_):
        echo(str(path))


memory.add_command(export_memory)
