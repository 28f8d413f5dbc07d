"""The command ``stageformer compare``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("first", metavar="EXP1")
@click.argument("second", metavar="[EXP2]", default="workspace")
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Number of translations that changed most; with --head, of sentences with other labels.",
)
@click.option("--head", is_flag=True, help="Compare the labels of heads (heads/dvc.yaml), not the translations.")
@json_option
@root_option
def compare(first: str, second: str, examples: int, head: bool, as_json: bool, root: Path | None) -> None:
    """Compare the scores of two experiments, and show whether the difference may be chance.

    Also shows the parameters that differ, and what those of a folder, such as the workspace, differ in from the last
    commit.

    EXP1 and EXP2 are git revisions, names of DVC experiments, folders of other copies of this repository, or
    `workspace`, which EXP2 is unless it is given. Nothing is checked out.
    """
    from stageformer.experiments.comparison import compare as library
    from stageformer.experiments.experiment import Experiment
    from stageformer.params.root import find_root
    from stageformer.terminal.comparison_text import comparison_text
    from stageformer.terminal.json_text import json_text

    found = find_root(root)
    left, right = (Experiment.open(spec, found, Path()) for spec in (first, second))
    if head:
        from stageformer.experiments.heads import compare_heads
        from stageformer.terminal.comparison_text import head_comparison_text

        heads = compare_heads(left, right, num_changed=examples)
        echo(json_text(heads.as_dict()) if as_json else head_comparison_text(heads))
        return
    comparison = library(left, right, num_changed=examples)
    echo(json_text(comparison.as_dict()) if as_json else comparison_text(comparison))
