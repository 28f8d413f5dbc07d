"""The command ``stageformer memory``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Output, json_option, pooling_option
from stageformer.commands.paths import existing
from stageformer.commands.program import command, group
from stageformer.console.output import echo

_format_option = click.option(
    "--format", "format_", type=click.Choice(["npy", "pt"]), default="npy", show_default=True,
    help="NumPy, or a tensor artifact of PyTorch.",
)  # fmt: skip


@group()
def memory() -> None:
    """Work with saved encoder output."""


@command("export")
@click.argument("split", type=click.Path(path_type=Path))
@click.argument("output", type=Output(is_folder=True))
@_format_option
@json_option
def export_memory(split: Path, output: Path, format_: str, as_json: bool) -> None:
    """Write a padded copy of the memory in the folder SPLIT into the folder OUTPUT, for other tools."""
    from stageformer.memory.padded import export_padded, padded_bytes
    from stageformer.memory.store import MemoryStore
    from stageformer.terminal.json_text import json_text

    store = MemoryStore(existing(split))
    width = store.lengths.max(initial=0)
    size = padded_bytes(store, format_) / 2**20
    shape = [len(store), int(width), store.width]
    echo(f"{output}: {shape} and mask, {size:,.1f} MiB", err=True)
    paths = [str(path) for path in export_padded(store, output, format_)]
    echo(json_text({"shape": shape, "files": paths}) if as_json else "\n".join(paths))


@command("pool")
@click.argument("split", type=click.Path(path_type=Path))
@click.argument("output", type=Output(is_folder=True))
@pooling_option
@_format_option
@json_option
def pool_memory(split: Path, output: Path, how: str, format_: str, as_json: bool) -> None:
    """Write one vector for each sentence of the memory in the folder SPLIT into the folder OUTPUT, for other tools."""
    from stageformer.memory.pooling import export_pooled
    from stageformer.memory.store import MemoryStore
    from stageformer.terminal.json_text import json_text

    store = MemoryStore(existing(split))
    shape = [len(store), store.width]
    paths = [str(path) for path in export_pooled(store, output, how, format_)]
    echo(json_text({"shape": shape, "files": paths}) if as_json else "\n".join(paths))


memory.add_command(export_memory)
memory.add_command(pool_memory)
