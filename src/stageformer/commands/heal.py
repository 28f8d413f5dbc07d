"""The command ``stageformer heal``."""

from __future__ import annotations

import sys
from pathlib import Path

from stageformer.commands.options import root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@root_option
def heal(root: Path | None) -> None:
    """Check DVC's cache: remove damaged entries, and get back from the outputs or the remote what they need.

    `dvc repro --force` would put a damaged entry in the place of a new result, since DVC knows it by its name. The exit
    code is 1 if an output has to be made again.
    """
    from stageformer.experiments.cache import heal as library
    from stageformer.params.root import find_root

    healed = library(find_root(root))
    damaged = sum(repair.wrong == "damaged" for repair in healed.repairs)
    echo(
        f"{healed.folder}: {healed.num_entries:,} entries ({healed.num_bytes / 2**20:,.1f} MiB), {damaged:,} damaged, "
        f"{len(healed.repairs) - damaged:,} missing"
    )
    to_make: list[str] = []
    for repair in healed.repairs:
        name = repair.output.path if repair.output else f"{repair.md5}, which no current output needs"
        echo(f"  {repair.wrong}: {name}: {repair.outcome or 'removed'}")
        if repair.output and repair.outcome == "to be made again":
            to_make.append(repair.output.stage)
    for output in healed.changed:
        echo(f"  changed: {output.path}: not as dvc.lock says; `dvc checkout --force {output.path}` brings that back")
    if to_make:
        echo(f"run `dvc repro {' '.join(dict.fromkeys(to_make))}`")
        sys.exit(1)
