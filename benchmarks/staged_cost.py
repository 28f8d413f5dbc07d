"""What the staged way costs against joint training: a decoder experiment on saved memory, and how many pay.

\b
    python -m benchmarks.staged_cost --threads 2 --seconds 60

Four kinds of work run on the same batches of Multi30k, each in a process of its own, in turns: the joint training of
encoder and decoder, the encoder stage with its throw-away decoder, encoding the corpus, and a decoder on the memory.
Prints a table in Markdown.
"""

from __future__ import annotations

import math
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.jobs import Job, Result, alternate, median, ratio, run_job, updates_within
from benchmarks.processes import run
from stageformer.artifacts.files import write_json
from stageformer.commands.program import command

SPEED = "target_tokens_per_second"
JOINT, ENCODER, ENCODE, DECODER = WORK = ("stageformer", "encoder-stage", "encode", "decoder")
HEADER = (
    "model",
    "joint, target tokens/s",
    "encoder stage, target tokens/s",
    "decoder on memory, target tokens/s",
    "encoding, s",
    "joint training, min",
    "decoder / joint, time",
    "decoder / joint, arithmetic",
    "break-even, experiments",
)


@command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the corpus, prepared "
              "there unless it is there already.  [default: a temporary one]")
@click.option("--config", type=click.Choice([*CONFIGURATIONS, "both"]), default="both", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads on the CPU.")
@click.option("--seconds", type=float, default=60, show_default=True, help="What joint training takes in a round.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns of each kind of work.")
@click.option("--batch-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Budget of an update.")
@click.option("--target-tokens", type=click.IntRange(1), default=20_000_000, show_default=True,
              help="Length of each training, the encoder stage's too, for the break-even.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for all figures.")
def main(
    data: Path | None, config: str, threads: int, seconds: float, rounds: int, batch_tokens: int, target_tokens: int,
    json_path: Path | None,
) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print("preparing the corpus", file=sys.stderr)
        run(["-m", "benchmarks.corpus", str(folder)], threads)
        machine = run_job(Job("machine", "tiny", str(folder), threads, batch_tokens))
        measured = {}
        for name in CONFIGURATIONS if config == "both" else [config]:
            job = Job(JOINT, name, str(folder), threads, batch_tokens)
            job = replace(job, updates=updates_within(seconds, job))
            measured[name] = alternate({work: replace(job, system=work) for work in WORK}, rounds)
    click.echo(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for name, results in measured.items():
        click.echo(f"| {' | '.join(row(name, results, target_tokens))} |")
    described = f"{machine['machine']['cpu']}, {threads} threads, torch {machine['machine']['torch']}"
    click.echo(f"\nEach training sees {target_tokens:,} target tokens. Medians of {rounds} rounds on {described}.")
    if json_path is not None:
        write_json(json_path, machine | {"rounds": measured})


def row(name: str, results: dict[str, list[Result]], target_tokens: int) -> list[str]:
    """Return the cells of one configuration."""
    seconds = {work: target_tokens / median(results[work], SPEED) for work in (JOINT, ENCODER, DECODER)}
    encoding = median(results[ENCODE], "seconds")
    experiments = break_even(seconds[JOINT], seconds[ENCODER] + encoding, seconds[DECODER])
    arithmetic = ratio(results[DECODER], results[JOINT], "flop_of_target_token")
    return [
        name,
        *(f"{median(results[work], SPEED):,.0f}" for work in (JOINT, ENCODER, DECODER)),
        f"{encoding:,.1f}",
        f"{seconds[JOINT] / 60:,.0f}",
        f"{ratio(results[JOINT], results[DECODER], SPEED):.0%}",
        f"{arithmetic:.0%}",
        "never" if experiments is None else str(experiments),
    ]


def break_even(joint: float, before: float, decoder: float) -> int | None:
    """Return the smallest number of experiments from which the staged way costs no more than joint training.

    Args:
        joint: cost of one joint training.
        before: cost of all that comes before the first decoder.
        decoder: cost of one decoder.
    """
    return None if decoder >= joint else max(1, math.ceil(before / (joint - decoder)))


if __name__ == "__main__":
    main()
