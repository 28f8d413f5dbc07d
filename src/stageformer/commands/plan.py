"""The command ``stageformer plan``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Number, json_option, params_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo, say


@command()
@click.option("--pairs", type=Number(float, 1, 1e15), help="Plan for so many pairs of the same kind, such as 1e9.")
@click.option("--machines", type=click.IntRange(1, 1_000_000), default=1, show_default=True,
              help="Machines like this one, which share the trainings and encode.")
@click.option("--gpus", type=click.IntRange(0, 1024), default=0, show_default=True,
              help="GPUs in each of them, of an assumed speed.")
@click.option("--calibrate", is_flag=True, help="Measure this machine, even where the last run tells what it can do.")
@json_option
@params_option
@root_option
def plan(
    pairs: float | None, machines: int, gpus: int, calibrate: bool, as_json: bool, params: Path | None,
    root: Path | None,
) -> None:  # fmt: skip
    """Say what a run will take: rows, tokens, seconds, memory and disk of each stage, and what does not fit.

    What this machine can do is known from the last run, if that was here and with the same corpus; otherwise, all
    stages run on two samples of the corpus, in a temporary folder, which takes a minute or two.
    """
    from stageformer.compute.disk import free_bytes
    from stageformer.compute.estimate import memory_of_this_machine
    from stageformer.params.groups import check
    from stageformer.params.messages import naming_file
    from stageformer.params.reading import read_yaml
    from stageformer.params.root import find_root
    from stageformer.planning.basis import find_basis
    from stageformer.planning.forecast import Machines, forecast
    from stageformer.terminal.plan_text import plan_json, plan_text

    found = find_root(root)
    params = params or found / "params.yaml"
    values = read_yaml(params)
    with naming_file(params):
        parameters = check(values)
    basis = find_basis(parameters, found, calibrate)
    for line in basis.remarks:
        say(f"plan: {line}")
    corpus = basis.corpus if pairs is None else basis.corpus_of(round(pairs), parameters)
    where = Machines(machines, gpus, memory_of_this_machine(), free_bytes(found))
    planned = forecast(parameters, corpus, basis.runs, where, basis.stages)
    echo(plan_json(planned) if as_json else plan_text(planned))
