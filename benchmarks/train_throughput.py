"""Training speed and memory: Stageformer against a plain torch.nn.Transformer loop, in the same run.

\b
    python -m benchmarks.train_throughput --threads 2 --seconds 60 --json throughput.json

Every system trains the same model on the same batches of Multi30k, each in a process of its own, in turns.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.jobs import Job, Result, alternate, median, ratio, run_job, spread, updates_within
from benchmarks.processes import run
from stageformer.artifacts.files import write_json
from stageformer.commands.program import command
from stageformer.terminal.text import columns

SPEED = "target_tokens_per_second"
PROFILED_UPDATES = 3


def read_changes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, object]:
    """Return the parameters that ``--set`` named, their values read as YAML."""
    for text in texts:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    pairs = (text.split("=", 1) for text in texts)
    return {name: YAML(typ="safe", pure=True).load(value) for name, value in pairs}


@command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the corpus, prepared "
              "there unless it is there already.  [default: a temporary one]")
@click.option("--config", type=click.Choice([*CONFIGURATIONS, "both"]), default="both", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads on the CPU.")
@click.option("--seconds", type=float, default=60, show_default=True, help="What the plain loop takes in a round.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns of each system.")
@click.option("--batch-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Budget of an update.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", callback=read_changes,
              help="A parameter of Stageformer, such as compute.micro_batch_tokens=2048.")
@click.option("--breakdown/--no-breakdown", default=True, help="Say which part of an update takes how long.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(
    data: Path | None, config: str, threads: int, seconds: float, rounds: int, batch_tokens: int, precision: str,
    changes: dict[str, object], breakdown: bool, json_path: Path | None,
) -> None:
    """Measure, print and write."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print("preparing the corpus", file=sys.stderr)
        run(["-m", "benchmarks.corpus", str(folder)], threads)
        figures: dict[str, Any] = {"machine": {}, "results": [], "rounds": {}, "parts": {}}
        for name in CONFIGURATIONS if config == "both" else [config]:
            job = Job("plain", name, str(folder), threads, batch_tokens, precision, changes)
            job = replace(job, updates=updates_within(seconds, job))
            jobs = {system: replace(job, system=system) for system in ("machine", *systems())}
            rounds_of = alternate(jobs, rounds)
            machine = rounds_of.pop("machine")
            limit = max(result["gflop_per_second"] for result in machine)
            results = [summary(system, name, rounds_of[system], limit) for system in rounds_of]
            figures["machine"] = machine[0]["machine"] | {"gflop_per_second": limit}
            figures["results"] += results
            figures["rounds"][name] = rounds_of
            _print_results(name, job, rounds_of, results, figures["machine"])
            if breakdown:
                figures["parts"][name] = parts = parts_of(replace(job, updates=PROFILED_UPDATES, profile=True))
                _print_parts(parts)
    if json_path is not None:
        write_json(json_path, figures)


def systems() -> list[str]:
    """Return the systems that can be measured here, in the order of their turns."""
    names = ["stageformer", "plain", "plain-malloc"]
    if importlib.util.find_spec("transformers") is None:
        print("marian is left out: there is no `transformers` here", file=sys.stderr)
    else:
        names.append("marian")
    return names


def summary(system: str, config: str, results: list[Result], limit: float) -> dict[str, Any]:
    """Return the figures of one system: the median speed and the largest memory of its rounds.

    Args:
        system: its name.
        config: the name of the configuration.
        results: of its rounds.
        limit: of the machine, in GFLOP/s.
    """
    speed = median(results, SPEED)
    return {
        "system": system,
        "config": config,
        SPEED: round(speed, 1),
        "fraction_of_limit": round(speed * results[0]["flop_of_target_token"] / 1e9 / limit, 4),
        "peak_memory_mib": round(max(result["peak_memory_mib"] for result in results)),
    }


def _print_results(
    config: str, job: Job, rounds: dict[str, list[Result]], results: list[dict[str, Any]], machine: dict[str, Any]
) -> None:
    one = rounds["plain"][0]
    flop, limit = one["flop_of_target_token"], machine["gflop_per_second"]
    click.echo(f"\n{config}: {one['parameters']:,} parameters, {flop / 1e6:.2f} MFLOP a target token")
    click.echo(f"{machine['cpu']}, {job.threads} threads, {job.precision}, torch {machine['torch']}")
    click.echo(f"limit of matrix products: {limit:,.1f} GFLOP/s = {limit * 1e9 / flop:,.0f} target tokens/s")
    click.echo(f"{len(rounds['plain'])} rounds of {job.updates} updates of up to {job.batch_tokens:,} tokens\n")
    rows = [("system", "target tokens/s", "smallest to largest", "to plain", "of limit", "peak MiB", "padding")]
    for result in results:
        name = result["system"]
        rows.append((
            name,
            f"{result[SPEED]:,.0f}",
            spread(rounds[name], SPEED),
            f"{ratio(rounds[name], rounds['plain'], SPEED):.2f}",
            f"{result['fraction_of_limit']:.1%}",
            f"{result['peak_memory_mib']:,}",
            f"{median(rounds[name], 'padding'):.1%}",
        ))  # fmt: skip
    click.echo("\n".join(columns(rows, right=range(1, 7))))


def parts_of(job: Job) -> dict[str, dict[str, float]]:
    """Return the seconds that each part of an update takes, for Stageformer and for the plain loop."""
    return {name: run_job(replace(job, system=name))["parts"] for name in ("stageformer", "plain")}


def _print_parts(parts: dict[str, dict[str, float]]) -> None:
    totals = {name: sum(seconds.values()) for name, seconds in parts.items()}
    rows = [("part of an update", *(cell for name in parts for cell in (f"{name}, ms", "share")))]
    for part in parts["plain"]:
        times = [(seconds[part], seconds[part] / totals[name]) for name, seconds in parts.items()]
        rows.append((part, *(cell for time, share in times for cell in (f"{1000 * time:,.0f}", f"{share:.0%}"))))
    rows.append(("all", *(cell for total in totals.values() for cell in (f"{1000 * total:,.0f}", ""))))
    click.echo()
    click.echo("\n".join(columns(rows, right=range(1, 5))))


if __name__ == "__main__":
    main()
