"""How long a model takes to load: the code of this repository beside that of another checkout, in turns.

A process loads the translator of a finished run several times and reports the fastest, in seconds of CPU time; so do
processes of the other code. The ratio is that of the medians: above 1, this code is faster.

Example: ``git worktree add ../before v1.0 && python -m benchmarks.loading --root . --against ../before/src``
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import click

from benchmarks.machine import describe

ROOT = Path(__file__).parents[1]
PROGRAM = """
import sys, time
from pathlib import Path
from stageformer.translator.translator import Translator

times = []
for _ in range(int(sys.argv[2]) + 1):
    started = time.process_time()
    Translator.load(Path(sys.argv[1]))
    times.append(time.process_time() - started)
print(min(times[1:]))
"""


def seconds(source: Path, root: Path, loads: int) -> float:
    """Return the CPU time of the fastest of several loads in one process."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root.resolve()), str(loads)], cwd=root, env=environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise click.ClickException(f"{source}: {run.stderr.strip().splitlines()[-1]}")
    return float(run.stdout)


@click.command(help=__doc__)
@click.option("--root", type=click.Path(path_type=Path, exists=True), required=True, help="A repository that has run.")
@click.option("--against", type=click.Path(path_type=Path, exists=True), required=True, help="Folder src of the other.")
@click.option("--rounds", default=5, show_default=True, help="Processes of each code, in turns.")
@click.option("--loads", default=9, show_default=True, help="In each process, after one that is not counted.")
def main(root: Path, against: Path, rounds: int, loads: int) -> None:
    """Run the benchmark."""
    found: dict[str, list[float]] = {"here": [], "there": []}
    for _ in range(rounds):
        for name, source in (("here", ROOT / "src"), ("there", against.resolve())):
            found[name].append(seconds(source, root, loads))
    medians = {name: statistics.median(times) for name, times in found.items()}
    ratio = medians["there"] / medians["here"]
    click.echo(json.dumps({"machine": describe(), "seconds": found, "ratio": round(ratio, 3)}, indent=2))


if __name__ == "__main__":
    main()
