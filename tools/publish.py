"""Publish a result: prove it, put its artifacts where colleagues can get them, and tag the commit.

It pushes what ``dvc.lock`` names and DVC's run cache to the default remote, and the downloads that the corpus was made
from, so that a rebuild needs nobody else's server. Nothing is pushed to git: the last line says how.

Examples::

    python -m tools.publish v1.0
    python -m tools.publish v1.0 --no-verify     # without the rebuild that proves the result
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.errors import StageformerError
from stageformer.experiments.missing import remote_settings
from stageformer.experiments.status import read_status
from stageformer.params.reading import read_yaml
from stageformer.terminal.summary import summary
from tools.rebuild import git
from tools.verify import refuse_changes

DOWNLOADS = Path("downloads")
"""The shared copy of :data:`CACHE`, tracked by DVC in ``downloads.dvc``."""
CACHE = Path(".cache")
"""Where the stages keep what they download; every file is checked by its hash before it is used."""
NO_DOWNLOADS = ("answers", "wheels")
"""Folders in :data:`CACHE` that are not for others: the answers of services to all runs, of which those that this run
used are in ``data/embed/answers``, and the packages of the tests."""
SECRETS = (
    "access_key_id", "account_key", "client_secret", "connection_string", "gdrive_client_secret", "oss_key_secret",
    "passphrase", "password", "sas_token", "secret_access_key", "session_token", "token",
)  # fmt: skip
"""Settings of a remote that belong into ``.dvc/config.local`` or the environment, never into git."""


@command()
@click.argument("tag")
@click.option("--verify/--no-verify", "proven", default=True, help="Whether to rebuild everything and compare first.")
def main(tag: str, proven: bool) -> None:
    """Publish the last commit and its artifacts under the name TAG.

    The result is rebuilt in a clone and compared to the bit, then artifacts, run cache and downloads are pushed to the
    default remote of DVC, then the commit is tagged.
    """
    root = Path.cwd()
    refuse_changes(root)
    remote = committed_remote(root)
    if git(root, "tag", "--list", tag).strip():
        raise StageformerError(f"the tag {tag} exists; choose another, or remove it with `git tag --delete {tag}`")
    outdated = [stage.name for stage in read_status(root).stages if stage.would_run]
    if outdated:
        raise StageformerError(f"not up to date: {', '.join(outdated)}; run `make repro`, commit, and publish again")
    for name in _absolute_paths(read_yaml(root / "params.yaml")):
        echo(f"note: {name} is an absolute path; without that file, others can use this result but not rebuild it")
    if proven:
        _run(root, sys.executable, "-m", "tools.verify")
    if _share_downloads(root):
        echo(f"committed {DOWNLOADS}.dvc: the downloads are shared, too")
    echo(f"pushing artifacts and run cache to the remote {remote}")
    _run(root, sys.executable, "-m", "dvc", "push", "--run-cache")
    git(root, "tag", "--annotate", tag, "--message", f"{tag}\n\n{_scores(root)}")
    echo(f"published {tag}. Now `git push --follow-tags`; a colleague clones it and runs `make reproduce`.")


def committed_remote(root: Path) -> str:
    """Return the name of DVC's default remote, as git has it.

    Raises:
        StageformerError: there is none, only this machine knows it, or the committed settings hold a secret.
    """
    here = remote_settings(root)
    name = here["core"].get("remote")
    advice = "`dvc remote add --default NAME URL`, then commit .dvc/config"
    if not name or name not in here["remote"]:
        raise StageformerError(f"DVC has no default remote to push to; {advice}")
    settings = _committed_settings(root)
    if settings.get("core.remote") != name or f"remote.{name}.url" not in settings:
        raise StageformerError(f"the committed .dvc/config has no remote {name}, so others cannot pull; {advice}")
    for key, value in settings.items():
        if key.rpartition(".")[2] in SECRETS or (key.endswith(".url") and urlsplit(value).password):
            raise StageformerError(
                f"the committed .dvc/config holds a secret ({key}); remove it from git, and give it to each machine by "
                f"`dvc remote modify --local {name} ...` or the environment"
            )
    return str(name)


def _committed_settings(root: Path) -> dict[str, str]:
    """Return the settings of the committed ``.dvc/config`` by name, such as ``remote.storage.url``."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(git(root, "show", "HEAD:.dvc/config"))
    found: dict[str, str] = {}
    for section in parser.sections():
        title = section.strip("'").replace(' "', ".").rstrip('"')  # DVC writes ['remote "NAME"'], with the quotes
        found |= {f"{title}.{key}": value for key, value in parser[section].items()}
    return found


def _absolute_paths(values: object, name: str = "") -> Iterator[str]:
    """Yield the name of each parameter whose value is an absolute path."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _absolute_paths(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list):
        if any(True for value in values for _ in _absolute_paths(value)):
            yield name
    elif isinstance(values, str) and os.path.isabs(values):
        yield name


def _share_downloads(root: Path) -> bool:
    """Let DVC track what the stages downloaded, and commit that. Return whether anything new was there."""
    cache = root / CACHE
    files = [path for path in files_below(cache) if path.parts[0] not in NO_DOWNLOADS]
    if not files:
        return False
    copy_missing(files, cache, root / DOWNLOADS)
    _run(root, sys.executable, "-m", "dvc", "add", "--quiet", str(DOWNLOADS))
    git(root, "add", f"{DOWNLOADS}.dvc", ".gitignore")
    if not git(root, "diff", "--cached", "--name-only").strip():
        return False
    git(root, "commit", "--quiet", "--message", "The downloads that the corpus was made from, shared by DVC")
    return True


def files_below(folder: Path) -> list[Path]:
    """Return the whole files below a folder, relative to it: none that are hidden, locks, or still being written."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path
        for path in found
        if path.suffix not in (".part", ".lock") and not any(name.startswith(".") for name in path.parts)
    ]


def copy_missing(files: Iterable[Path], origin: Path, place: Path) -> None:
    """Copy files, named relative to the folder ``origin``, to the same places below the folder ``place``."""
    for path in files:
        if not (place / path).exists():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin / path, place / path)


def _scores(root: Path) -> str:
    metrics: dict[str, Any] = summary(root, examples=0).metrics
    scores = {name: value for name, value in metrics["beam"].items() if isinstance(value, int | float)}
    return "\n".join(f"{name} {value:.2f}" for name, value in scores.items())


def _run(root: Path, *arguments: str) -> None:
    """Run a program, whose output is seen. Raises StageformerError if it fails; its own message is above."""
    if subprocess.run(arguments, cwd=root, check=False).returncode:
        shown = " ".join(argument.removeprefix(sys.executable) for argument in arguments).strip()
        raise StageformerError(f"`python {shown}` failed; nothing was tagged")


if __name__ == "__main__":
    main()
