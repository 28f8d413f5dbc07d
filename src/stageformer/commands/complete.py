"""The command ``stageformer complete``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Number, json_option, root_option, search_options
from stageformer.commands.program import command
from stageformer.console.output import answer
from stageformer.params.root import find_root


@command()
@click.argument("beginnings", nargs=-1, required=True)
@search_options
@click.option("--max-tokens", type=Number(int, 1, 10**6), default=64, show_default=True,
              help="Tokens after the beginning, <eos> included: a text that has not ended by then is cut.")
@json_option
@root_option
def complete(
    beginnings: tuple[str, ...], beam_size: int | None, nbest: int | None, sample: bool, temperature: float, top_k: int,
    top_p: float, seed: int, max_tokens: int, as_json: bool, root: Path | None,
) -> None:
    """Continue BEGINNINGS with the language model of the pipeline (train_encoder.objective: next_token).

    Each argument is the beginning of one text; an empty one leaves the whole text to the model. With --json, each has a
    line of JSON: its texts with scores, tokens and ids.
    """
    if nbest and beam_size and nbest > beam_size and not sample:
        raise click.UsageError(f"--nbest {nbest} is more than --beam-size {beam_size} can find")
    from stageformer.decoding.sampling import Sampling
    from stageformer.terminal.completions import completion_lines
    from stageformer.translator.completer import Completer

    completer = Completer.load(find_root(root))
    found = completer.complete(
        beginnings,
        number=nbest or 1,
        beam_size=beam_size,
        sampling=Sampling(seed=seed, temperature=temperature, top_k=top_k, top_p=top_p) if sample else None,
        max_tokens=max_tokens,
    )
    lines = completion_lines(
        beginnings, found, completer.vocabulary, with_scores=nbest is not None, as_json=as_json
    )
    for line in lines:
        answer(line)
