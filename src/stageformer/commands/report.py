"""The command ``stageformer report``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Output, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("experiments", nargs=-1, metavar="[EXP...]")
@click.option(
    "--output", type=Output(), default="report.html", show_default=True, help="File to write."
)
@root_option
def report(experiments: tuple[str, ...], output: Path, root: Path | None) -> None:
    """Write one HTML file on a run: scores, pipeline, parameters, curves, pictures and translations.

    EXP is a git revision, a DVC experiment, the folder of another copy, or `workspace` (the default). Several are shown
    side by side, and differences are those to the first. The file needs neither network nor server.
    """
    from stageformer.experiments.experiment import WORKSPACE, Experiment
    from stageformer.params.root import find_root
    from stageformer.report.write import write_report

    found = find_root(root)
    opened = [Experiment.open(spec, found, Path()) for spec in experiments or (WORKSPACE,)]
    for left_out in write_report(opened, output, root=found):
        echo(left_out, err=True)
    echo(f"{output}: {output.stat().st_size / 2**20:,.1f} MiB")
