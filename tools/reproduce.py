"""Take over a published result: fetch its artifacts, and see that nothing is left to compute.

Example: ``python -m tools.reproduce``, in a clone of the repository, at the tag or commit of the result.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.errors import StageformerError
from stageformer.experiments.missing import remote_settings
from stageformer.experiments.status import read_status
from stageformer.terminal.status_text import status_text
from stageformer.terminal.summary import summary
from tools.publish import CACHE, DOWNLOADS, copy_missing, files_below


@command()
def main() -> None:
    """Fetch the artifacts and the run cache of a published result, and show its scores.

    The exit code is 1 if a stage would still have to run, and 2 if the artifacts cannot be fetched.
    """
    root = Path.cwd()
    if not remote_settings(root)["remote"]:
        raise StageformerError(
            "this repository names no DVC remote, so its artifacts are nowhere to be fetched from; "
            "`make repro` computes them, and `make verify` compares them with dvc.lock"
        )
    if subprocess.run([sys.executable, "-m", "dvc", "pull", "--run-cache"], cwd=root, check=False).returncode:
        raise StageformerError(
            "`dvc pull` failed, see above: who published must have run `make publish`, and this machine needs the keys "
            "of the remote (docs/sharing.md)"
        )
    _take_downloads(root)
    status = read_status(root)
    if not status.up_to_date:
        echo(status_text(status))
        sys.exit(1)
    echo(f"Nothing to compute: all {len(status.stages)} stages are as they were published.\n")
    echo(summary(root).text())


def _take_downloads(root: Path) -> None:
    """Put the shared downloads where the stages look for them."""
    copy_missing(files_below(root / DOWNLOADS), root / DOWNLOADS, root / CACHE)


if __name__ == "__main__":
    main()
