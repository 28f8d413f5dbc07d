"""The command ``stageformer status``."""

from __future__ import annotations

import sys
from pathlib import Path

from stageformer.commands.options import json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@json_option
@root_option
def status(as_json: bool, root: Path | None) -> None:
    """Show what `dvc repro` would run, and why: which parameter, file of code, input or output changed.

    Nothing is run or written. Also shows the parameters that differ from the last commit. The exit code is 0 if every
    stage is up to date, and 1 if a stage would run.
    """
    from stageformer.experiments.status import read_status
    from stageformer.params.root import find_root
    from stageformer.terminal.json_text import json_text
    from stageformer.terminal.status_text import status_text

    found = read_status(find_root(root))
    echo(json_text(found.as_dict()) if as_json else status_text(found))
    sys.exit(0 if found.up_to_date else 1)
