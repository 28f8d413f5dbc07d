"""The command line ``stageformer``. Each command imports what it needs when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stageformer.errors import friendly

_params = click.option(
    "--params", type=click.Path(path_type=Path), default="params.yaml", show_default=True, help="Parameter file."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train, inspect and use the Transformer that this repository builds. Run it from the root of the repository."""


@main.command()
@click.argument("name", required=False)
@_params
@click.option(
    "--recipes", type=click.Path(path_type=Path), default="recipes", show_default=True, help="Folder of the recipes."
)
@friendly
def use(name: str | None, params: Path, recipes: Path) -> None:
    """Replace the parameter file with the recipe NAME and show what changed; without NAME, list the recipes.

    A recipe is a file recipes/NAME.yaml that holds the parameters in which it differs from the default.
    `stageformer use default` goes back.
    """
    from stageformer import recipes as library

    if name is None:
        names = library.list_recipes(recipes)
        width = max(map(len, names))
        for recipe, description in names.items():
            click.echo(f"{recipe:{width}}  {description}")
        return
    applied = library.use(name, params, recipes)
    for difference in applied.differences:
        click.echo(str(difference))
    if not applied.differences:
        click.echo(f"{params}: nothing to change, it holds the recipe {name!r} already")
    if applied.differences and applied.lost:
        click.echo(f"Lost, set by hand on top of {applied.nearest!r} and in no recipe:")
        for difference in applied.lost:
            click.echo(f"  {difference.key}: {library.show(difference.new)}")


@main.command()
@_params
@friendly
def check(params: Path) -> None:
    """Check the parameter file: every key known, every value allowed, and all of them possible together."""
    from stageformer.params.groups import check as check_values
    from stageformer.params.reading import read_yaml

    check_values(read_yaml(params))
    click.echo(f"{params}: all parameters are known and allowed")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--id", "sentence", type=int, help="Show the sentence with this id.")
@click.option(
    "--rows", type=click.IntRange(min=0), default=5, show_default=True, help="Sentences or entries in the sample."
)
@friendly
def show(path: Path, sentence: int | None, rows: int) -> None:
    """Show what the artifact PATH is, who made it from what, its shapes and a readable sample.

    PATH is a table, a tensor file, a JSON file or a folder of them, such as data/vocab or data/encode/train.
    """
    from stageformer import show as library
    from stageformer.params.reading import read_yaml

    lock = next((folder / "dvc.lock" for folder in path.resolve().parents if (folder / "dvc.lock").exists()), None)
    values, root = (read_yaml(lock), lock.parent) if lock else (None, Path())
    click.echo(library.show(path, rows=rows, sentence=sentence, lock=values, root=root))


@main.group()
def memory() -> None:
    """Work with saved encoder output."""


@memory.command("export")
@click.argument("split", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format", "format_", type=click.Choice(["npy", "pt"]), default="npy", show_default=True, help="Of the copy."
)
@friendly
def export_memory(split: Path, output: Path, format_: str) -> None:
    """Write a padded copy of the memory in the folder SPLIT into the folder OUTPUT, for other tools."""
    from stageformer.memory import MemoryStore
    from stageformer.padded import export_padded, padded_bytes

    store = MemoryStore(split)
    width = store.lengths.max(initial=0)
    size = padded_bytes(store, format_) / 2**20
    click.echo(f"{output}: [{len(store)}, {width}, {store.d_model}] and mask, {size:,.1f} MiB", err=True)
    for path in export_padded(store, output, format_):
        click.echo(str(path))


@main.command()
@click.argument("sentences", nargs=-1)
@click.option("--input", "input_path", type=click.Path(path_type=Path), help="Text file, one sentence a line.")
@click.option("--output", "output_path", type=click.Path(path_type=Path), help="File for as many translations.")
@click.option("--beam-size", type=click.IntRange(min=1), help="Default: evaluate.beam_size of params.yaml.")
@friendly
def translate(
    sentences: tuple[str, ...], input_path: Path | None, output_path: Path | None, beam_size: int | None
) -> None:
    """Translate SENTENCES, a file, or what is typed, with the model that the pipeline made.

    Each argument is one sentence. Without any, lines are read from standard input and answered one by one.
    """
    if (input_path is None) != (output_path is None) or (sentences and input_path):
        raise click.UsageError("give sentences, or --input together with --output, or neither")
    from stageformer.translate import Translator, decode_line, translate_file

    translator = Translator.load()
    if input_path is not None and output_path is not None:
        translate_file(translator, input_path, output_path, beam_size=beam_size)
    elif sentences:
        for text in translator.translate(sentences, beam_size=beam_size, origin="arguments", show_progress=False):
            click.echo(text)
    else:
        origin = "standard input"
        for number, line in enumerate(sys.stdin.buffer, start=1):
            (text,) = translator.translate(
                [decode_line(line, origin, number)],
                beam_size=beam_size,
                origin=origin,
                first_line=number,
                show_progress=False,
            )
            click.echo(text)


@main.command()
@click.option("--examples", type=click.IntRange(min=0), default=12, show_default=True, help="Number of translations.")
@friendly
def summary(examples: int) -> None:
    """Show the scores of the last run and some translations beside their references."""
    from stageformer.summary import summary as library

    click.echo(library(examples=examples))
