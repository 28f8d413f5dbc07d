"""The command ``stageformer predict``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Output, json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import answer
from stageformer.params.root import find_root

_PATH = click.Path(path_type=Path)


@command()
@click.argument("texts", nargs=-1)
@click.option("--input", "input_path", type=_PATH, help="Text file, one text a line.")
@click.option("--output", "output_path", type=Output(), help="File for what --input gives. Default: it is printed.")
@click.option("--export", "folder", type=Output(is_folder=True), metavar="FOLDER",
              help="Write the head, its encoder and its tokenizer into a new folder, for --model on any machine.")
@click.option("--format", "form", type=click.Choice(["stageformer", "huggingface"]), default="stageformer",
              show_default=True, help="Of --export; huggingface: a folder for AutoModelForTokenClassification.")
@json_option
@click.option("--model", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="What --export wrote. Default: the head of the repository.")
@root_option
def predict(
    texts: tuple[str, ...], input_path: Path | None, output_path: Path | None, folder: Path | None, form: str,
    as_json: bool, model: Path | None, root: Path | None,
) -> None:
    """Predict the labels of TEXTS, or of a file, with the head that `dvc repro heads/dvc.yaml` made.

    Prints label and probability of each text, or its words with their tags.
    """
    if folder is not None:
        if texts or input_path or output_path or as_json or model:
            raise click.UsageError("--export writes the head of the repository; beside it, give --format and --root")
    elif form != "stageformer":
        raise click.UsageError("--format says how --export writes; give both")
    elif bool(texts) == bool(input_path):
        raise click.UsageError("give texts or --input, one of them")
    if output_path is not None and input_path is None:
        raise click.UsageError("--output needs --input, a file of texts")
    if model is not None and root is not None:
        raise click.UsageError("give --model or --root, not both")
    from stageformer.artifacts.files import write_lines
    from stageformer.artifacts.reading import read_sentences
    from stageformer.heads.head_folder import export_head
    from stageformer.heads.predictor import Predictor
    from stageformer.terminal.labels import label_lines

    if folder is not None:
        if form == "huggingface":
            from stageformer.export.head_transformers import export_huggingface

            names = export_huggingface(find_root(root), folder)
        else:
            names = export_head(find_root(root), folder)
        for name in names:
            answer(f"{folder / name}")
        return
    predictor = Predictor.load(model or find_root(root))
    given = list(texts) if input_path is None else read_sentences(input_path)
    origin = "arguments" if input_path is None else str(input_path)
    found = predictor.predict(given, origin=origin, show_progress=input_path is not None)
    lines = label_lines(given, found, first_line=1, as_json=as_json)
    if output_path is not None:
        write_lines(output_path, lines)
        return
    for line in lines:
        answer(line)
