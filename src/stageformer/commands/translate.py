"""The command ``stageformer translate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stageformer.errors import friendly


@click.command()
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
