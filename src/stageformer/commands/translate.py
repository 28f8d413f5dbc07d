"""The command ``stageformer translate``."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stageformer.commands.options import (
    Option,
    Output,
    json_option,
    model_folder,
    model_option,
    root_option,
    search_options,
)
from stageformer.commands.program import command
from stageformer.console.output import answer, echo, say
from stageformer.errors import StageformerError

if TYPE_CHECKING:
    from stageformer.terminal.answers import Answers

_PATH = click.Path(path_type=Path)
_search_option = functools.partial(click.option, cls=Option, excludes=("--score",))


@command()
@click.argument("sentences", nargs=-1)
@click.option("--input", "input_path", type=_PATH, help="Text file, one sentence a line.")
@click.option("--output", "output_path", type=Output(), help="File for what --input gives. Default: it is printed.")
@search_options
@_search_option("--prefix", default="", metavar="TEXT", help="What every translation begins with.")
@_search_option("--attention", is_flag=True, help="Draw which source tokens each token of a translation attends to: "
              "cross-attention of the last layer, mean of its heads.")
@click.option("--steps", is_flag=True, help="Print every step of the search: the ids so far, the shape of tgt_mask, "
              "the ten largest logits, and which tokens are chosen. --beam-size 1 for greedy search.")
@click.option("--score", "score_path", type=_PATH, help="Text file of given translations of --input: print the "
              "log-probability and the perplexity of each.")
@click.option("--engine", type=click.Choice(["stageformer", "ctranslate2"]), default="stageformer", show_default=True,
              help="What searches.")
@json_option
@model_option
@root_option
def translate(
    sentences: tuple[str, ...], input_path: Path | None, output_path: Path | None, beam_size: int | None,
    nbest: int | None, sample: bool, temperature: float, top_k: int, top_p: float, seed: int, prefix: str,
    attention: bool, steps: bool, score_path: Path | None, engine: str, as_json: bool, model: Path | None,
    root: Path | None,
) -> None:
    """Translate SENTENCES, a file, or what is typed, with the model that the pipeline made or an exported one.

    Each argument is one sentence. Without any, and without --input, lines are read from standard input and answered
    one by one. With --json, each sentence has a line of JSON: its translations with scores, tokens and ids.
    """
    if sentences and input_path:
        raise click.UsageError("give sentences or --input, not both")
    for option, value in (("--output", output_path), ("--score", score_path)):
        if value is not None and input_path is None:
            raise click.UsageError(f"{option} needs --input, a file of sentences")
    if nbest and beam_size and nbest > beam_size and not sample:
        raise click.UsageError(f"--nbest {nbest} is more than --beam-size {beam_size} can find")
    if attention and input_path and not as_json:
        raise click.UsageError("--attention draws for the terminal; give sentences instead of --input")
    if steps and (input_path or sample or as_json or engine != "stageformer"):
        raise click.UsageError(
            "--steps is for sentences as arguments, greedy or beam search, the engine stageformer, and text, not --json"
        )
    from stageformer.artifacts.files import write_lines
    from stageformer.artifacts.reading import read_sentences
    from stageformer.decoding.sampling import Sampling
    from stageformer.terminal.answers import Answers, score_lines
    from stageformer.translator.translator import Translator

    if sys.stdin is None and not sentences and input_path is None:
        raise StageformerError("standard input is closed; give sentences as arguments, or --input")
    translator = Translator.load(model_folder(model, root), engine=engine)
    interactive = not sentences and input_path is None and sys.stdin.isatty()
    answers = Answers(
        translator=translator,
        beam_size=beam_size,
        nbest=nbest,
        sampling=Sampling(seed=seed, temperature=temperature, top_k=top_k, top_p=top_p) if sample else None,
        prefix=prefix,
        attention_width=shutil.get_terminal_size().columns if attention else None,
        steps=steps,
        indented=interactive,
        as_json=as_json,
    )
    if input_path is None:
        show = answers.lines(sentences, origin="arguments", show_progress=False) if sentences else None
        for line in show or _answer_standard_input(answers, interactive):
            answer(line)
        return
    texts, origin = read_sentences(input_path), str(input_path)
    if score_path is not None:
        scores = translator.score(texts, read_sentences(score_path), origin=origin)
        lines = score_lines(scores, as_json=as_json)
    else:
        lines = answers.lines(texts, origin=origin, show_progress=True)
    if output_path is not None:
        write_lines(output_path, lines)
    else:
        for line in lines:
            answer(line)


def _answer_standard_input(answers: Answers, interactive: bool) -> Iterator[str]:
    """Yield the answer to each line as soon as it is read. At a terminal, a mistake in a line is only reported."""
    from stageformer.artifacts.reading import bounded_lines, decode_line

    origin = "standard input"
    if interactive:
        echo("> ", err=True, end="")
    for number, line in enumerate(bounded_lines(sys.stdin.buffer, origin), start=1):
        try:
            text = decode_line(line, origin, number)
            yield from answers.lines([text], origin=origin, first_line=number, show_progress=False)
        except StageformerError as error:
            if not interactive:
                raise
            say(f"error: {error}")
        if interactive:
            echo("> ", err=True, end="")
