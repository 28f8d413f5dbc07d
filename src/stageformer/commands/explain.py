"""The command ``stageformer explain``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import json_option, model_folder, model_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.errors import StageformerError


@command()
@click.argument("sentence")
@click.option("--layer", type=int, default=1, show_default=True, help="Of the encoder or the decoder, from 1.")
@click.option("--head", type=int, default=1, show_default=True, help="From 1.")
@click.option(
    "--kind",
    type=click.Choice(["all", "encoder", "decoder", "cross"]),
    default="all",
    show_default=True,
    help="Self-attention of the encoder or the decoder, or attention of the decoder to the encoder output.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="FILE.png or FILE.svg; without either ending, both are written. Default: attention-LAYER-HEAD.",
)
@click.option("--translation", help="What the decoder reads. Default: what `translate` prints.")
@json_option
@model_option
@root_option
def explain(
    sentence: str, layer: int, head: int, kind: str, output: Path | None, translation: str | None, as_json: bool,
    model: Path | None, root: Path | None,
) -> None:
    """Draw scaled dot-product attention on SENTENCE, with every matrix and the values of the trained model.

    With --kind all, there are three pictures, and the kind is added to the name of each file. With --json, the matrices
    are printed instead; a score that the mask forbids is null.
    """
    if as_json and output is not None:
        raise click.UsageError("--json prints the matrices and draws nothing; leave out --output")
    from stageformer.artifacts.files import atomic_file, check_writable
    from stageformer.figures.explain import explain as explain_sentence
    from stageformer.figures.operation import KINDS
    from stageformer.figures.style import FORMATS
    from stageformer.terminal.json_text import json_text
    from stageformer.translator.translator import Translator

    path = output or Path(f"attention-{layer}-{head}")
    if path.name in ("", ".."):
        raise StageformerError(f"{path}: is a folder; name a file in it")
    formats = [format_ for format_ in FORMATS if path.suffix == f".{format_}"] or FORMATS
    stem = path.name.removesuffix(path.suffix) if len(formats) == 1 else path.name
    kinds = [each for each in KINDS if kind in ("all", each)]
    paths = {
        (each, format_): path.with_name(f"{stem}-{each}.{format_}" if kind == "all" else f"{stem}.{format_}")
        for each in kinds
        for format_ in formats
    }
    for file_path in () if as_json else paths.values():
        check_writable(file_path)
    translator = Translator.load(model_folder(model, root))
    explained = explain_sentence(translator, sentence, layer=layer, head=head, kinds=kinds, translation=translation)
    if as_json:
        echo(json_text([found.operation.as_dict() for found in explained], indent=None))
        return
    for found in explained:
        for format_ in formats:
            file_path = paths[found.operation.kind, format_]
            with atomic_file(file_path) as file:
                file.write(found.picture(format_))
            echo(str(file_path))
