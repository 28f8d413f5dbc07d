"""The command ``stageformer walk``."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from stageformer.commands.options import (
    Option,
    Output,
    Parameter,
    model_folder,
    model_option,
    root_option,
    sampling_options,
)
from stageformer.commands.program import command
from stageformer.console.output import echo, say, warn


@command()
@click.argument("sentence")
@click.option("--against", metavar="EXP", help="Beside it the model of a git revision, a DVC experiment, or the folder "
              "of another copy.")
@click.option("--beam-size", cls=Option, excludes=("--sample",), type=Parameter("translate.beam_size"),
              help="1: greedy search. Default: translate.beam_size of params.yaml.")
@click.option("--sample", is_flag=True, help="Draw each token by its probability.")
@sampling_options
@click.option("--output", type=Output(), default="walk.html", show_default=True, help="File to write.")
@click.option("--open", "is_opened", is_flag=True, help="Open the file in the browser.")
@model_option
@root_option
def walk(
    sentence: str, against: str | None, beam_size: int | None, sample: bool, temperature: float, top_k: int,
    top_p: float, seed: int, output: Path, is_opened: bool, model: Path | None, root: Path | None,
) -> None:
    """Go with SENTENCE through the whole model, step by step, in the browser.

    One HTML file shows every matrix from the text to the translation, with the formula of the paper and the lines of
    our code. It needs neither network nor server.
    """
    from stageformer.decoding.sampling import Sampling
    from stageformer.experiments.experiment import Experiment
    from stageformer.params.root import find_root
    from stageformer.translator.translator import Translator
    from stageformer.walk.models import load_translator
    from stageformer.walk.page import write_walk
    from stageformer.walk.walked import walk_model

    folder = model_folder(model, root)
    sampling = Sampling(seed=seed, temperature=temperature, top_k=top_k, top_p=top_p) if sample else None
    translator = Translator.load(folder)
    name = "workspace" if model is None else str(model)
    models = [walk_model(translator, sentence, name=name, beam_size=beam_size, sampling=sampling)]
    if against is not None:
        other = load_translator(Experiment.open(against, find_root(root), Path()))
        models.append(walk_model(other, sentence, name=against, beam_size=beam_size, sampling=sampling))
    left_out = write_walk(models, output)
    for walked in models:
        echo(walked.chosen[-1].text)
    say(f"{output}: {output.stat().st_size / 2**20:,.1f} MiB")
    if left_out:
        say("with all learned matrices it would exceed 5 MiB: some are left out, and their screens say so")
    if is_opened and not webbrowser.open(output.absolute().as_uri()):
        warn(f"there is no browser on this machine; open {output} in one")
