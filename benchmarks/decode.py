"""Decoding speed and memory: Stageformer, Hugging Face's MarianMT and CTranslate2 with the same weights.

\b
    python -m benchmarks.decode --threads 2 --json decode.json

Every system translates the same 1,000 sentences of Multi30k (test 2016) into exactly 16 tokens each, <eos> included,
greedily and with a beam of 5. Each works in a process of its own, in turns. What is fair about it:

\b
- One set of weights (Transformer-Tiny, from a seed), converted; the share of equal outputs is printed.
- The time is that from lists of ids to lists of ids, encoder included, after a first pass over all sentences. Nobody
  waits for another's tokenizer.
- All sort the sentences by length and cut them into batches of a budget of source tokens, padding included. In a
  process of its own before the first round, each system tries the same budgets, and continues with its fastest.
- MarianMT has its cache of keys and values, SDPA attention and inference mode. Every system forbids the same tokens, by
  the means that it has for it.
- The output has one length, so that nobody gains by stopping early, and finished sentences cost nobody anything.
- Peak memory is that of the whole process, with Python and every library that the system needs.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.processes import run
from stageformer.artifacts.files import write_json
from stageformer.commands.program import command
from stageformer.terminal.text import columns

MODES = ("greedy", "beam5")
PACKAGES = {"stageformer": None, "marian": "transformers", "ctranslate2": "ctranslate2"}
"""Every system, and the optional package that it needs."""
SPEED = "sentences_per_second"


@dataclass(frozen=True)
class DecodeJob:
    """What a worker is to do."""

    system: str
    """one of ``PACKAGES``; ``convert`` to write the models; ``machine`` to describe the machine"""
    mode: str
    """one of ``MODES``"""
    data: str
    """folder of the corpus"""
    models: str
    """folder of the models"""
    threads: int
    """threads on the CPU"""
    sentences: int
    """how many of the test sentences"""
    batch_tokens: tuple[int, ...]
    """budgets to measure"""


@command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the corpus, prepared "
              "there unless it is there already.  [default: a temporary one]")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads on the CPU.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of each system.")
@click.option("--sentences", type=click.IntRange(1), default=1000, show_default=True, help="To translate.")
@click.option("--batch-tokens", type=click.IntRange(1), multiple=True, default=(512, 1024, 2048, 4096, 8192),
              show_default=True, help="Budgets that each system tries.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(
    data: Path | None, threads: int, rounds: int, sentences: int, batch_tokens: tuple[int, ...],
    json_path: Path | None,
) -> None:
    """Measure, print and write."""
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = stack.enter_context(tempfile.TemporaryDirectory())
        print("preparing the corpus and the models", file=sys.stderr)
        run(["-m", "benchmarks.corpus", str(folder)], threads)
        job = DecodeJob("convert", "", str(folder), models, threads, sentences, batch_tokens)
        run_job(job)
        machine = run_job(dataclasses.replace(job, system="machine"))
        best = {key: dataclasses.replace(job, system=key[0], mode=key[1]) for key in pairs()}
        for key, one in best.items():
            print(f"{' '.join(key)}: trying budgets", file=sys.stderr)
            tried = run_job(one)["seconds"]
            budget = min(batch_tokens, key=lambda tokens: tried[str(tokens)])
            best[key] = dataclasses.replace(one, batch_tokens=(budget,))
        found: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in best}
        for number in range(rounds):
            for key, one in best.items():
                print(f"round {number + 1} of {rounds}: {' '.join(key)}", file=sys.stderr)
                found[key].append(run_job(one))
    results = []
    for (system, mode), rounds_of in found.items():
        reference = found["stageformer", mode]
        results.append({
            "system": system,
            "mode": mode,
            SPEED: round(statistics.median(one[SPEED] for one in rounds_of), 1),
            "peak_memory_mib": round(max(one["peak_memory_mib"] for one in rounds_of)),
            "batch_tokens": best[system, mode].batch_tokens[0],
            "stageformer_is_times_as_fast": round(
                statistics.median(ours[SPEED] / one[SPEED] for ours, one in zip(reference, rounds_of, strict=True)), 2
            ),
            "equal_outputs": round(share_of_equals(rounds_of[0]["ids"], reference[0]["ids"]), 4),
        })  # fmt: skip
    _print(results, found, machine, sentences, rounds)
    if json_path is not None:
        write_json(json_path, {"machine": machine, "sentences": sentences, "rounds": rounds, "results": results})


def pairs() -> list[tuple[str, str]]:
    """Return the systems that can be measured here, each with every mode, in the order of their turns."""
    names = []
    for name, package in PACKAGES.items():
        if is_installed(name):
            names.append(name)
        else:
            print(f"{name} is left out: there is no `{package}` here", file=sys.stderr)
    return [(name, mode) for mode in MODES for name in names]


def is_installed(system: str) -> bool:
    """Return whether the package that a system needs is there."""
    package = PACKAGES[system]
    return package is None or importlib.util.find_spec(package) is not None


def run_job(job: DecodeJob) -> dict[str, Any]:
    """Do a job in a process of its own. Raises StageformerError when it fails."""
    finished = run(["-m", "benchmarks.decode_worker", json.dumps(dataclasses.asdict(job))], job.threads)
    result: dict[str, Any] = json.loads(finished.output)
    return result if job.system in ("convert", "machine") else {"peak_memory_mib": finished.peak_memory_mib} | result


def share_of_equals(found: list[list[int]], others: list[list[int]]) -> float:
    """Return the share of the sentences with the same tokens in both."""
    return sum(one == other for one, other in zip(found, others, strict=True)) / len(found)


def _print(
    results: list[dict[str, Any]], found: dict[tuple[str, str], list[dict[str, Any]]], machine: dict[str, Any],
    sentences: int, rounds: int,
) -> None:
    click.echo(f"{machine['cpu']}, {machine['threads']} threads, fp32, torch {machine['torch']}")
    click.echo(f"{rounds} rounds of {sentences:,} sentences\n")
    rows = [("mode", "system", "sentences/s", "smallest to largest", "ours is", "peak MiB", "budget", "as ours")]
    for result in results:
        speeds = [one[SPEED] for one in found[result["system"], result["mode"]]]
        rows.append((
            result["mode"],
            result["system"],
            f"{result[SPEED]:,.0f}",
            f"{min(speeds):,.0f} to {max(speeds):,.0f}",
            f"{result['stageformer_is_times_as_fast']:.2f} x",
            f"{result['peak_memory_mib']:,}",
            f"{result['batch_tokens']:,}",
            f"{result['equal_outputs']:.1%}",
        ))  # fmt: skip
    click.echo("\n".join(columns(rows, right=range(2, 8))))


if __name__ == "__main__":
    main()
