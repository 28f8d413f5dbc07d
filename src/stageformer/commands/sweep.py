"""The command ``stageformer sweep``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stageformer.commands.options import Output, json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo, say

if TYPE_CHECKING:
    from stageformer.experiments.experiment import Experiment
    from stageformer.experiments.sweep import Sweep
    from stageformer.experiments.sweep_runs import Plan


@command()
@click.argument("name", required=False)
@click.option("--plan", is_flag=True, help="Say what is left to run and how long it will take; run nothing.")
@click.option("--table", "only_table", is_flag=True, help="Run nothing; make the table of what is there.")
@click.option(
    "--output", type=Output(is_folder=True), help="Folder of the table and the picture. Default: sweeps/NAME."
)
@json_option
@root_option
def sweep(
    name: str | None, plan: bool, only_table: bool, output: Path | None, as_json: bool, root: Path | None
) -> None:
    """Run what is missing of sweeps/NAME.yaml, and make its table; without NAME, list the sweeps.

    Every row runs with every seed as a DVC experiment of its own, in a copy. Stages that several share run once. It can
    be stopped at any time: the same command goes on, down to the checkpoint of a training.
    """
    from stageformer.experiments.sweep import list_sweeps, load_sweep
    from stageformer.experiments.sweep_runs import find_finished, make_plan
    from stageformer.params.root import find_root
    from stageformer.terminal.sweep_text import plan_json, plan_text

    found = find_root(root)
    if name is None:
        for known, description in list_sweeps(found).items():
            echo(f"{known}  {description}")
        return
    chosen = load_sweep(name, found)
    finished = find_finished(chosen, found)
    planned = make_plan(chosen, finished, found)
    if plan:
        echo(plan_json(planned) if as_json else plan_text(chosen, planned))
        return
    output = output or found / "sweeps" / name
    if planned.missing and not only_table:
        say(plan_text(chosen, planned).splitlines()[0])
        _run(chosen, planned, finished, found)
    _write(chosen, finished, output, as_json)


def _run(chosen: Sweep, planned: Plan, finished: dict[str, Experiment], root: Path) -> None:
    from stageformer.experiments.sweep_runs import run_one

    number = 0
    for run in chosen.runs:
        if run.name not in finished:
            number += 1
            start = time.monotonic()
            progress = f"[{number}/{planned.missing}] {run.row}, seed {run.seed}"
            finished[run.name] = run_one(run, root, progress)
            say(f"{progress}: done in {time.monotonic() - start:.0f} s")


def _write(chosen: Sweep, finished: dict[str, Experiment], output: Path, as_json: bool) -> None:
    from stageformer.artifacts.files import atomic_file
    from stageformer.errors import StageformerError
    from stageformer.experiments.sweep_table import sweep_table
    from stageformer.figures.sweep import draw_sweep
    from stageformer.terminal.table_text import FORMATS

    if not finished:
        raise StageformerError(f"{chosen.name}: no experiment is there yet; `stageformer sweep` runs them")
    every, means = sweep_table(chosen, finished)
    for ending, format_ in (("md", "markdown"), ("csv", "csv"), ("json", "json")):
        with atomic_file(output / f"table.{ending}") as file:
            file.write(f"{FORMATS[format_](means)}\n".encode())
    with atomic_file(output / "experiments.csv") as file:
        file.write(f"{FORMATS['csv'](every)}\n".encode())
    of_row = {run.name: run.row for run in chosen.runs}
    seeds = [[one.scores for one in every.rows if of_row[one.name] == row.name] for row in means.rows]
    for ending in ("png", "svg"):
        draw_sweep(means, seeds, chosen.description, output / f"picture.{ending}")
    echo(FORMATS["json" if as_json else "text"](means))
    say(f"{output}: table.md, table.csv, table.json, experiments.csv, picture.png, picture.svg")
