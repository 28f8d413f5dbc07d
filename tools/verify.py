"""Prove that the pipeline gives the same bits: run it from scratch in a clone, and compare every output.

Expected are the hashes in ``dvc.lock``. For a recipe that it was not made with, the pipeline is run twice, in two
clones. The exit code is 1 if any output differs, 2 if there is nothing to compare.

Examples::

    python -m tools.verify
    python -m tools.verify --recipe smoke
    python -m tools.verify --recipe "multi30k joint"
    python -m tools.verify --keep built     # leaves the clone in the folder built, to look at
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.errors import StageformerError
from stageformer.experiments.status import Recorded, changed_code, recorded_manifest
from stageformer.params.differences import compare
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe
from stageformer.provenance.code import FOLDER
from stageformer.provenance.record import read_environments
from stageformer.terminal.text import columns
from tools.rebuild import git, rebuild


@dataclass(frozen=True)
class Run:
    """What a run of the pipeline left in its repository."""

    stages: Mapping[str, Any]
    """The stages of ``dvc.lock``: parameters, inputs and outputs of each, with their hashes."""
    environments: Mapping[str, Any]
    """The contents of ``environment.json``, by stage."""
    manifests: Mapping[str, Recorded]
    """What code each stage ran, by stage."""

    @classmethod
    def read(cls, root: Path) -> Run:
        """Read the run that the repository ``root`` holds: an empty one, if it has no ``dvc.lock``."""
        lock: dict[str, Any] = read_yaml(root / "dvc.lock") if (root / "dvc.lock").exists() else {"stages": {}}
        recorded = {name: recorded_manifest(root, name, stage) for name, stage in lock["stages"].items()}
        manifests = {name: manifest for name, manifest in recorded.items() if manifest is not None}
        return cls(lock["stages"], read_environments(root / "reports"), manifests)

    def outputs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the entry of every output (``md5``, ``size`` in bytes), by stage and path.

        The manifests are none: they say what code ran, not what came of it.
        """
        outs = ((name, out) for name, stage in self.stages.items() for out in stage["outs"])
        return {(name, out["path"]): out for name, out in outs if out["path"] != FOLDER}

    def parameters(self) -> dict[str, Any]:
        """Return the groups of parameters that the stages were run with."""
        groups: dict[str, Any] = {}
        for stage in self.stages.values():
            groups |= stage.get("params", {}).get("params.yaml", {})
        return groups


@command()
@click.option("--recipe", help="Recipe to verify, or several in quotes, rather than the committed params.yaml.")
@click.option("--keep", type=click.Path(path_type=Path), help="New folder for the clones, which are left there.")
def main(recipe: str | None, keep: Path | None) -> None:
    """Prove that the pipeline gives the same bits.

    A clone of the last commit runs the whole pipeline from nothing, and every output is compared with dvc.lock, or for
    another recipe with a second run. The clones need room for all artifacts; TMPDIR says where.
    """
    root = Path.cwd()
    refuse_changes(root)
    expected, title = Run.read(root), "dvc.lock"
    if recipe is None and not expected.stages:
        raise StageformerError("there is no dvc.lock to compare with; run `make repro` and commit it, or name a recipe")
    with _folder(keep) as folder:
        if recipe and compare(expected.parameters(), load_recipe(recipe, root / "recipes")):
            echo(f"dvc.lock was not made with the recipe {recipe!r}: the pipeline is run twice")
            expected, title = Run.read(rebuild(root, folder / "first", recipe)), "first run"
        rebuilt = Run.read(rebuild(root, folder / "second", recipe))
    lines, is_same = report(expected, rebuilt, title)
    echo("\n".join(lines))
    sys.exit(0 if is_same else 1)


def refuse_changes(root: Path) -> None:
    """Raise StageformerError if a tracked file differs from the last commit, which is all that a clone would have."""
    changed = git(root, "-c", "core.quotePath=false", "diff", "--name-only", "HEAD").splitlines()
    if changed:
        raise StageformerError(
            f"only what is committed can be verified; commit or restore what differs from HEAD: {_some(changed)}"
        )


def report(expected: Run, rebuilt: Run, title: str) -> tuple[list[str], bool]:
    """Compare two runs output by output.

    Args:
        expected: the run to compare with.
        rebuilt: the run in question.
        title: what the first is, as the head of its column.

    Returns:
        The lines of a table, of reasons for differences and of the verdict, and whether all outputs are the same.
    """
    old, new = expected.outputs(), rebuilt.outputs()
    absent = {"md5": "-", "size": 0}
    rows = [("stage", "output", "bytes", title, "rebuilt", "")]
    different = []
    for stage, path in dict.fromkeys([*old, *new]):
        before, after = (outputs.get((stage, path), absent) for outputs in (old, new))
        is_same = before["md5"] == after["md5"]
        if not is_same:
            different.append(path)
        verdict = "same" if is_same else "DIFFERENT"
        rows.append((stage, path, f"{after['size']:,}", before["md5"][:8], after["md5"][:8], verdict))
    lines = ["", *columns(rows, right=(2,)), ""]
    if not different:
        return [*lines, f"verified: all {len(new)} outputs are the same, to the bit"], True
    lines += _reasons(expected, rebuilt)
    return [*lines, f"NOT the same: {len(different)} of {len(rows) - 1} outputs differ: {_some(different)}"], False


def _reasons(expected: Run, rebuilt: Run) -> Iterator[str]:
    """Yield a line on each thing that two runs did not have in common."""
    parameters = compare(expected.parameters(), rebuilt.parameters())
    if parameters:
        yield f"The parameters differ: {'; '.join(map(str, parameters))}"
    code = list(dict.fromkeys(_changed_files(expected.manifests, rebuilt.manifests)))
    if code:
        yield f"The code differs: {_some(code)}"
    known = [stage for stage in rebuilt.environments if stage in expected.environments]
    environment = [
        str(difference)
        for stage in known
        for difference in compare(expected.environments[stage], rebuilt.environments[stage])
    ]
    if environment:
        yield f"The environment differs: {'; '.join(dict.fromkeys(environment))}"
    elif known:
        yield "The environment is the same, as far as reports/*/environment.json shows."
    else:
        yield "What environment the expected outputs come from is not known: there is no reports/*/environment.json."


def _changed_files(old: Mapping[str, Recorded], new: Mapping[str, Recorded]) -> Iterator[str]:
    """Yield each file of code that a stage of both runs ran differently, once for each stage.

    It is the manifest of the stage where that of a run is lost.
    """
    for stage in new:
        if stage in old and old[stage].md5 != new[stage].md5:
            before, after = old[stage].text, new[stage].text
            if before is None or after is None:
                yield f"{FOLDER}/{stage}.txt"
            else:
                yield from (path for path, _ in changed_code(before, after))


def _some(names: Sequence[str], limit: int = 6) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield a temporary folder, or ``keep``, made if it is not there. Raises StageformerError if that is not empty."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="stageformer-verify-") as name:
            yield Path(name).resolve()
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise StageformerError(f"{keep}: not empty; name a new folder")
    yield keep.resolve()


if __name__ == "__main__":
    main()
