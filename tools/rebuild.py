"""Clone a repository and run its whole pipeline from scratch, without the caches and checkpoints of other runs.

The clone shares with the original only the downloads in ``.cache``, which are checked by their hash, and the files of
the user that are not in git.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stageformer.console.output import echo
from stageformer.errors import StageformerError
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe, use


def rebuild(root: Path, folder: Path, recipe: str | None) -> Path:
    """Clone the repository ``root`` into ``folder``, run its pipeline there, and return the path of the clone.

    Arguments and errors are those of :func:`clone` and :func:`run_pipeline`.
    """
    cloned = clone(root, folder, recipe)
    run_pipeline(cloned, folder)
    return cloned


def clone(root: Path, folder: Path, recipe: str | None) -> Path:
    """Clone the repository ``root`` into ``folder``, without what its runs left, and return the path of the clone.

    Args:
        root: the repository; its last commit is what is cloned.
        folder: an empty folder, or none yet.
        recipe: the recipe, or several with blanks between them, to run rather than the committed parameters.

    Raises:
        StageformerError: there is no such recipe, or git failed.
    """
    values = load_recipe(recipe, root / "recipes") if recipe else read_yaml(root / "params.yaml")
    files = _files_named(values, root)
    # Files beside or above the repository need places beside or above the clone, inside of the folder.
    top = os.path.commonpath([root.parent, *(os.path.normpath(root / name) for name in files)])
    place = folder / "clone" / root.relative_to(top)
    place.mkdir(parents=True)
    echo(f"cloning into {place}")
    git(root, "clone", "--quiet", str(root), str(place))
    if recipe:
        use(recipe, place / "params.yaml", place / "recipes")
    _bring_files(root, place, files)
    (place / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(place / "reports", ignore_errors=True)
    return place


def run_pipeline(cloned: Path, folder: Path, *targets: str) -> None:
    """Run the stages ``targets`` of a clone and those before them: all, if none is named. Their output is shown.

    Args:
        cloned: the clone.
        folder: that :func:`clone` was given; caches and checkpoints are in it.
        targets: names of stages.

    Raises:
        StageformerError: a stage failed.
    """
    command = [sys.executable, "-m", "dvc", "repro", *targets]
    run = subprocess.run(command, cwd=cloned, env=_environment(folder), check=False)
    if run.returncode:
        raise StageformerError(f"`dvc repro` failed in the clone, exit code {run.returncode}; its own message is above")


def git(root: Path, *arguments: str) -> str:
    """Run git in ``root`` and return what it prints. Raises StageformerError with the last line of its message."""
    run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if run.returncode:
        message = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StageformerError(f"`git {' '.join(arguments)}` failed: {message}")
    return run.stdout


def _files_named(values: object, root: Path) -> list[str]:
    """Return every parameter that is the path, relative to ``root``, of a file."""
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list):
        return [name for value in values for name in _files_named(value, root)]
    is_file = isinstance(values, str) and not os.path.isabs(values) and (root / values).is_file()
    return [str(values)] if is_file else []


def _bring_files(root: Path, clone: Path, files: list[str]) -> None:
    """Give the clone what its stages read and git does not hold."""
    if (root / "corpus").is_dir():
        shutil.copytree(root / "corpus", clone / "corpus", dirs_exist_ok=True)
    for name in files:
        place = Path(os.path.normpath(clone / name))
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(root / name)
    # A link, so that what the clone downloads is there the next time.
    (root / ".cache").mkdir(exist_ok=True)
    (clone / ".cache").symlink_to(root / ".cache")


def _environment(folder: Path) -> dict[str, str]:
    """Return environment variables that keep away settings and caches of DVC, and checkpoints, of other runs."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("DVC_")}
    folders = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "STAGEFORMER_SCRATCH")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {name: str(folder / name) for name in folders} | {"DVC_NO_ANALYTICS": "1", "PATH": path}
