"""Speed and memory of the stages before training, on a corpus and on many times that.

\b
    python -m benchmarks.pipeline_scale --threads 2 --copies 10 --json scale.json

Runs the real stages in a temporary copy of the repository, each in a process of its own, on Tatoeba English-German and
on --copies times that. A number is appended to both sides of every pair of a further copy: equal pairs would be dropped
as duplicates. The encoder is an untrained one of the tiny configuration.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

from benchmarks.configurations import CONFIGURATIONS, ROOT, SHARED_DATA, parameters
from benchmarks.processes import run
from stageformer.artifacts.files import write_json
from stageformer.artifacts.header import SPLITS
from stageformer.commands.program import command
from stageformer.errors import StageformerError
from stageformer.params.groups import Parameters
from stageformer.params.render import render
from stageformer.terminal.text import columns

STAGES = ("ingest", "tokenize", "vocab", "embed", "train_encoder", "encode")
MEASURED = ("ingest", "tokenize", "vocab", "encode")


@command(help=__doc__)
@click.option("--corpus", type=click.Path(path_type=Path, dir_okay=False), help="A TSV of source and target, gzip.",
              default=SHARED_DATA / "tatoeba/deu-eng.tsv.gz", show_default=True)
@click.option("--copies", type=click.IntRange(2), default=10, show_default=True, help="Copies in the large corpus.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads on the CPU.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to work: the memory of ten "
              "copies takes 8 GiB of disk.  [default: a temporary one]")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(corpus: Path, copies: int, threads: int, folder: Path | None, json_path: Path | None) -> None:
    """Measure, print and write."""
    if not corpus.exists():
        raise StageformerError(f"{corpus}: no such file; name a corpus with --corpus")
    with ExitStack() as stack:
        work = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        figures = {number: measure(work / f"copies-{number}", corpus, number, threads) for number in (1, copies)}
    _print_stages(figures[1], figures[copies], copies)
    for number, found in figures.items():
        _print_encoding(found, number)
    if json_path is not None:
        write_json(json_path, {str(number): found for number, found in figures.items()})


def measure(root: Path, corpus: Path, copies: int, threads: int) -> dict[str, Any]:
    """Run the stages in ``root`` on so many copies of a corpus.

    Returns:
        ``stages``: seconds, sentences a second and peak memory of each; ``encode_start_seconds``: what ``encode`` takes
        before it does anything; ``encoder_forward``: its limit.

    Raises:
        StageformerError: a stage failed.
    """
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, root / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    print(f"{copies} x: writing the corpus", file=sys.stderr)
    pairs = write_copies(corpus, root / "corpus.tsv.gz", copies)
    changes = {
        "ingest.source": "tsv",
        "ingest.files.train": ["corpus.tsv.gz"],
        "ingest.files.source_column": "1",
        "ingest.files.target_column": "2",
        "compute.threads": threads,
    }
    (root / "params.yaml").write_text(render(Parameters, parameters(CONFIGURATIONS["tiny"], changes)), encoding="utf-8")
    stages = {}
    for stage in STAGES:
        print(f"{copies} x: {stage}", file=sys.stderr)
        finished = run(["-m", f"stages.{stage}"], threads, root)
        sentences = pairs if stage == "ingest" else _rows(root / "data/ingest")
        if stage in MEASURED:
            stages[stage] = {
                "sentences": sentences,
                "seconds": finished.seconds,
                "sentences_per_second": sentences / finished.seconds,
                "peak_memory_mib": finished.peak_memory_mib,
            }
    print(f"{copies} x: the encoder's forward pass alone", file=sys.stderr)
    forward = json.loads(run(["-m", "benchmarks.encoder_forward", str(root)], threads).output)
    start = run(["-m", "stages.encode", "--help"], threads, root).seconds
    return {"stages": stages, "encode_start_seconds": start, "encoder_forward": forward}


def write_copies(corpus: Path, path: Path, copies: int) -> int:
    """Write copies of a gzip TSV, all but the first with their number after each column; returns the lines written."""
    lines = 0
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as out:
        for number in range(copies):
            with gzip.open(corpus, "rt", encoding="utf-8") as text:
                for line in text:
                    fields = line.rstrip("\n").split("\t")
                    out.write("\t".join(f"{field} {number}" for field in fields) + "\n" if number else line)
                    lines += 1
    return lines


def _rows(folder: Path) -> int:
    return sum(pq.read_metadata(folder / f"{split}.parquet").num_rows for split in SPLITS)


def _print_stages(once: dict[str, Any], many: dict[str, Any], copies: int) -> None:
    rows = [("stage", "copies", "sentences", "seconds", "sentences/s", "peak MiB", "growth of memory")]
    for stage in MEASURED:
        for number, found in ((1, once), (copies, many)):
            figures = found["stages"][stage]
            growth = figures["peak_memory_mib"] / once["stages"][stage]["peak_memory_mib"] - 1
            rows.append((
                stage,
                str(number),
                f"{figures['sentences']:,}",
                f"{figures['seconds']:,.1f}",
                f"{figures['sentences_per_second']:,.0f}",
                f"{figures['peak_memory_mib']:,.0f}",
                f"{growth:+.0%}" if number > 1 else "",
            ))  # fmt: skip
    click.echo("\n".join(columns(rows, right=range(1, 7))))


def _print_encoding(found: dict[str, Any], copies: int) -> None:
    limit, start = found["encoder_forward"], found["encode_start_seconds"]
    speed = limit["gflop_per_second"]
    working = found["stages"]["encode"]["seconds"] - start
    forward = limit["seconds"]
    products = limit["flop"] / 1e9 / speed
    click.echo(
        f"\nencode, {copies} x: {start:,.1f} s to start Python and import torch, then {working:,.1f} s. The bare "
        f"forward pass takes {forward:,.1f} s ({forward / working:.0%} of that); its matrix products at the "
        f"{speed:,.1f} GFLOP/s of large ones would take {products:,.1f} s ({products / working:.0%})."
    )


if __name__ == "__main__":
    main()
