"""The command line ``stageformer``; its commands stand in ``commands/``."""

from __future__ import annotations

import click

from stageformer.commands.check import check
from stageformer.commands.memory import memory
from stageformer.commands.show import show
from stageformer.commands.summary import summary
from stageformer.commands.translate import translate
from stageformer.commands.use import use


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train, inspect and use the Transformer that this repository builds. Run it from the root of the repository."""


for command in (use, check, show, translate, summary, memory):
    main.add_command(command)
