"""What worker processes gain in the stages before training, and how time and memory grow with the corpus.

\b
    python -m benchmarks.workers --copies 1 --copies 3 --copies 10 --workers 1 --workers 2 --json workers.json

Runs `ingest`, `tokenize` and `vocab` on so many copies of Tatoeba English-German, with each number of workers in turn,
and compares their outputs to the byte. Seconds of a core are those of all processes together: on a busy machine, they
say more about the growth than the time does.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from benchmarks.configurations import CONFIGURATIONS, ROOT, SHARED_DATA, parameters
from benchmarks.pipeline_scale import write_copies
from benchmarks.processes import run
from stageformer.artifacts.files import write_json
from stageformer.commands.program import command
from stageformer.errors import StageformerError
from stageformer.params.groups import Parameters
from stageformer.params.render import render
from stageformer.terminal.text import columns

STAGES = ("ingest", "tokenize", "vocab")


@command(help=__doc__)
@click.option("--corpus", type=click.Path(path_type=Path, dir_okay=False), help="A TSV of source and target, gzip.",
              default=SHARED_DATA / "tatoeba/deu-eng.tsv.gz", show_default=True)
@click.option("--copies", type=click.IntRange(1), multiple=True, default=(1, 10), show_default=True,
              help="Copies in the corpus.")
@click.option("--workers", type=click.IntRange(1), multiple=True, default=(1, 2), show_default=True,
              help="compute.threads.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to work: ten copies take 1.5 "
              "GiB of disk.  [default: a temporary one]")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(
    corpus: Path, copies: tuple[int, ...], workers: tuple[int, ...], folder: Path | None, json_path: Path | None
) -> None:
    """Measure, print and write."""
    if not corpus.exists():
        raise StageformerError(f"{corpus}: no such file; name a corpus with --corpus")
    found: list[dict[str, Any]] = []
    with ExitStack() as stack:
        work = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number in copies:
            pairs = write_copies(corpus, work / "corpus.tsv.gz", number)
            hashes = set()
            for threads in workers:
                found += measure(work, pairs, threads)
                hashes.add(_hash(work / "data"))
            if len(hashes) > 1:
                raise StageformerError(f"{number} copies: the outputs differ with the number of workers")
            if json_path is not None:
                write_json(json_path, {"measured": found})
    click.echo(report(found))


def measure(root: Path, pairs: int, workers: int) -> list[dict[str, Any]]:
    """Run the stages in ``root``, which has a corpus, and return what each took. Raises StageformerError if one fails.

    The libraries of the tokenizers get as many threads as there are workers.
    """
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, root / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(root / "data", ignore_errors=True)
    changes = {
        "ingest.source": "tsv",
        "ingest.files.train": ["corpus.tsv.gz"],
        "ingest.files.source_column": "1",
        "ingest.files.target_column": "2",
        "compute.threads": workers,
    }
    (root / "params.yaml").write_text(render(Parameters, parameters(CONFIGURATIONS["tiny"], changes)), encoding="utf-8")
    found = []
    for stage in STAGES:
        print(f"{pairs:,} pairs, {workers} workers: {stage}", file=sys.stderr)
        finished = run(["-m", f"stages.{stage}"], workers, root)
        found.append({
            "stage": stage,
            "pairs": pairs,
            "workers": workers,
            "seconds": finished.seconds,
            "processor_seconds": finished.processor_seconds,
            "peak_memory_mib": finished.peak_memory_mib,
        })  # fmt: skip
    return found


def report(found: list[dict[str, Any]]) -> str:
    """Return a table of what was measured.

    ``gain`` is the time of the fewest workers over the time of these; ``exponent`` is how the seconds of a core grow
    from the smaller corpus to this one, 1 where they grow as the pairs do.
    """
    rows = [("stage", "pairs", "workers", "seconds", "gain", "of a core", "exponent", "peak MiB", "growth")]
    by_key = {(each["stage"], each["pairs"], each["workers"]): each for each in found}
    sizes, workers = (sorted({each[name] for each in found}) for name in ("pairs", "workers"))
    for (stage, pairs, number), each in by_key.items():
        smaller = sizes[sizes.index(pairs) - 1] if pairs != sizes[0] else None
        exponent = growth = ""
        if smaller is not None:
            before = by_key[stage, smaller, number]
            slope = math.log(each["processor_seconds"] / before["processor_seconds"]) / math.log(pairs / smaller)
            first = by_key[stage, sizes[0], number]
            exponent, growth = f"{slope:.2f}", f"{each['peak_memory_mib'] / first['peak_memory_mib'] - 1:+.0%}"
        gain = by_key[stage, pairs, workers[0]]["seconds"] / each["seconds"]
        rows.append((
            stage, f"{pairs:,}", str(number), f"{each['seconds']:,.1f}", f"{gain:.2f}",
            f"{each['processor_seconds']:,.1f}", exponent, f"{each['peak_memory_mib']:,.0f}", growth,
        ))  # fmt: skip
    return "\n".join(columns(rows, right=range(1, 9)))


def _hash(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(folder)).encode())
            with path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


if __name__ == "__main__":
    main()
