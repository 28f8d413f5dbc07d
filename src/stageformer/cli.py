"""The command line ``stageformer``; its commands are in ``commands/``."""

from __future__ import annotations

import click

from stageformer.commands.check import check
from stageformer.commands.compare import compare
from stageformer.commands.complete import complete
from stageformer.commands.completion import completion
from stageformer.commands.explain import explain
from stageformer.commands.export import export
from stageformer.commands.heal import heal
from stageformer.commands.memory import memory
from stageformer.commands.nearest import nearest
from stageformer.commands.plan import plan
from stageformer.commands.predict import predict
from stageformer.commands.probe import probe
from stageformer.commands.program import group
from stageformer.commands.report import report
from stageformer.commands.score import score
from stageformer.commands.show import show
from stageformer.commands.similar import similar
from stageformer.commands.status import status
from stageformer.commands.summary import summary
from stageformer.commands.sweep import sweep
from stageformer.commands.table import table
from stageformer.commands.tokenize import tokenize
from stageformer.commands.translate import translate
from stageformer.commands.use import use
from stageformer.commands.walk import walk


@group("stageformer", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stageformer", prog_name="stageformer")
def main() -> None:
    """Train, inspect and use the Transformer of a repository: the current folder, or the nearest above it."""


COMMANDS = (
    use, check, plan, status, heal, show, tokenize, translate, complete, predict, walk, explain, probe, summary, report,
    score, compare, table, sweep, memory, nearest, similar, export, completion,
)  # fmt: skip

for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":  # python -m stageformer.cli
    main()
