"""How far do scores spread from seed to seed? Run a recipe with several seeds, and print mean and standard deviation.

\b
    python -m benchmarks.seeds tiny --seeds 3 --folder ../seeds-tiny
    python -m benchmarks.seeds "multi30k joint" --folder ../seeds-joint --json seeds.json

Seeds 1, 2, ... go into the embeddings, both trainings and the dropout of the saved memory; the split of the corpus
stays. All run in one clone of the last commit, so that the stages before `embed` run once. A call that was interrupted
goes on where it was, down to the checkpoint of its training; one with more seeds adds only those.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.configurations import ROOT
from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.reading import read_json
from stageformer.commands.program import command
from stageformer.errors import StageformerError
from stageformer.params.groups import Parameters
from stageformer.params.recipes import load_recipe
from stageformer.params.render import render
from stageformer.params.seeds import seeded
from stageformer.terminal.text import columns
from tools.rebuild import clone, git, run_pipeline

SCORES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "cer": "CER", "exact_match": "exact match, %"}
RUN = "run.json"
"""What the folder holds runs of: recipe, commit and the path of the clone."""


@command(help=__doc__)
@click.argument("recipe", default="default")
@click.option("--seeds", type=click.IntRange(2), default=3, show_default=True, help="How many.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Where the clone and the scores of each seed are: a new folder, or that of an earlier call.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(recipe: str, seeds: int, folder: Path, json_path: Path | None) -> None:
    """Run what has no scores yet, print and write."""
    folder = folder.resolve()
    cloned = prepare(ROOT, folder, recipe)
    runs = [run(cloned, folder, seed) for seed in range(1, seeds + 1)]
    print(table(runs))
    if json_path is not None:
        write_json(json_path, {"recipe": recipe, "runs": runs, "summary": summary(runs)})


def prepare(root: Path, folder: Path, recipe: str) -> Path:
    """Return the clone in ``folder``, which is made unless an earlier call did.

    Raises:
        StageformerError: the folder holds something else, or runs of another recipe or commit.
    """
    wanted = {"recipe": recipe, "commit": git(root, "rev-parse", "HEAD").strip()}
    if (folder / RUN).exists():
        found = read_json(folder / RUN)
        for name, value in wanted.items():
            if found[name] != value:
                raise StageformerError(
                    f"{folder}: holds runs of the {name} {found[name]!r}, not {value!r}; name another folder"
                )
        return folder / str(found["clone"])
    if folder.exists() and any(folder.iterdir()):
        raise StageformerError(f"{folder}: is not empty, and no folder of such runs; name another one")
    cloned = clone(root, folder, recipe)
    write_json(folder / RUN, {**wanted, "clone": str(cloned.relative_to(folder))})
    return cloned


def run(cloned: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Return the metrics of the stage evaluate with that seed: those of an earlier call, or of a run now."""
    kept = folder / f"seed-{seed}.json"
    if not kept.exists():
        recipe = read_json(folder / RUN)["recipe"]
        values = seeded(load_recipe(recipe, cloned / "recipes"), seed)
        with atomic_file(cloned / "params.yaml") as file:
            file.write(render(Parameters, values, recipe).encode())
        print(f"seed {seed}", flush=True)
        run_pipeline(cloned, folder, "evaluate")
        write_json(kept, {"seed": seed, **read_json(cloned / "reports/evaluate/metrics.json")})
    found: dict[str, Any] = read_json(kept)
    return found


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return ``mean`` and ``sd`` (of a sample: n - 1) of the scores of beam search, and of the perplexity."""
    figures = {name: [run["beam"][name] for run in runs] for name in SCORES if name in runs[0]["beam"]}
    figures["perplexity"] = [run["perplexity"] for run in runs]
    return {
        name: {"mean": statistics.fmean(values), "sd": statistics.stdev(values)} for name, values in figures.items()
    }


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return a line a score: each seed, and mean and standard deviation of all."""
    lines = [("", *(f"seed {run['seed']}" for run in runs), "mean ± sd")]
    for name, found in summary(runs).items():
        values = [run["perplexity"] if name == "perplexity" else run["beam"][name] for run in runs]
        spread = f"{found['mean']:.2f} ± {found['sd']:.2f}"
        lines.append((SCORES.get(name, name), *(f"{value:.2f}" for value in values), spread))
    return "\n".join(columns(lines))


if __name__ == "__main__":
    main()
