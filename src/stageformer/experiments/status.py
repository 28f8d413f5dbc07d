"""What `dvc repro` would run, and why, before anything has run.

DVC knows that the code of a stage has changed only once ``check`` has written its manifest. Here the manifests are made
in memory and compared with those that the stages last ran with, which also names the files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stageformer.artifacts.files import first_line
from stageformer.errors import StageformerError
from stageformer.experiments.contents import changes_since_commit
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.params.differences import ABSENT, Difference, compare, show
from stageformer.params.groups import check
from stageformer.params.messages import naming_file
from stageformer.params.reading import read_yaml
from stageformer.provenance.code import FOLDER, manifests, read_manifest

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

PIPELINE = "dvc.yaml"
CHECK = "check"

Kind = Literal["never run", "command", "parameter", "code", "input", "output"]

_STATES = {"modified": "changed", "deleted": "is missing", "not in cache": "is not in DVC's cache", "new": "is new"}
"""What DVC says of a file -> what we say."""


@dataclass(frozen=True)
class Reason:
    """One thing that makes a stage run."""

    kind: Kind
    name: str
    """The parameter, or the path of the file relative to the root; empty where the stage as a whole is meant."""
    change: str
    """What became of it, in words that follow the name; of a parameter, ``OLD -> NEW``."""
    old: object = None
    """Of a parameter: the value that the stage last ran with."""
    new: object = None
    """Of a parameter: the value in ``params.yaml``."""


@dataclass(frozen=True)
class StageStatus:
    """One stage and what makes it run."""

    name: str
    reasons: tuple[Reason, ...]
    after: tuple[str, ...]
    """The stages that would run and whose outputs it reads. If those come out the same, it does not run for them."""

    @property
    def would_run(self) -> bool:
        """Whether `dvc repro` would come to run this stage, at most."""
        return bool(self.reasons or self.after)


@dataclass(frozen=True)
class Status:
    """What `dvc repro` would run."""

    stages: tuple[StageStatus, ...]
    """Every stage, in the order of ``dvc.yaml``."""
    since_head: tuple[Difference, ...] | None
    """The parameters that differ from those of the last commit: its value -> the present one. None: no such commit."""

    @property
    def up_to_date(self) -> bool:
        """Whether no stage would run."""
        return not any(stage.would_run for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """Return it all as JSON has it."""
        return {
            "up_to_date": self.up_to_date,
            "stages": {
                stage.name: {"reasons": [_reason_as_dict(reason) for reason in stage.reasons], "after": [*stage.after]}
                for stage in self.stages
                if stage.would_run
            },
            "since_head": None if self.since_head is None else [change.as_dict() for change in self.since_head],
        }


@dataclass(frozen=True)
class Recorded:
    """The manifest that a stage last ran with."""

    md5: str
    text: str | None
    """None if neither ``data/`` nor DVC's cache has it any more."""


def read_status(root: Path) -> Status:
    """Find out what `dvc repro` would run.

    Args:
        root: of the repository.

    Raises:
        StageformerError: a parameter is wrong, the manifests cannot be made, or DVC cannot read the pipeline.
    """
    values = read_yaml(root / "params.yaml")
    with naming_file(root / "params.yaml"):
        check(values)
    code = manifests(root, values)
    # Importing DVC takes half a second, which a mistake in the parameters need not wait for.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            stages = _stages(repo, root, values, code)
    except DvcException as error:
        raise StageformerError(f"{root / PIPELINE}: {first_line(error)}") from None
    return Status(tuple(stages), since_head=changes_since_commit(Experiment.open(WORKSPACE, root)))


def manifest_md5(text: str) -> str:
    """Return the hash of a manifest, as ``dvc.lock`` has it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def recorded_manifest(root: Path, stage: str, locked: Mapping[str, Any]) -> Recorded | None:
    """Return the manifest that a stage last ran with.

    Args:
        root: of the repository.
        stage: its name.
        locked: what ``dvc.lock`` says of it.

    Returns:
        None if ``dvc.lock`` names no manifest.
    """
    md5s = {dep["path"]: dep.get("md5") for dep in locked.get("deps", [])}
    md5 = md5s.get(f"{FOLDER}/{stage}.txt")
    if md5 is None:
        return None
    path = root / FOLDER / f"{stage}.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if manifest_md5(text) != md5:
        from dvc.repo import Repo

        with Repo(str(root)) as repo:
            cached = Path(repo.cache.local.oid_to_path(md5))
        text = cached.read_text(encoding="utf-8") if cached.is_file() else ""
    return Recorded(md5, text or None)


def changed_code(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each file in which two manifests differ, and what became of it."""
    before, after = read_manifest(old), read_manifest(new)
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            yield path, "is now imported"
        elif path not in after:
            yield path, "is no longer imported"
        elif before[path] != after[path]:
            yield path, "changed"


def _stages(repo: Repo, root: Path, values: Mapping[str, Any], code: Mapping[str, str]) -> list[StageStatus]:
    home = root.resolve()
    stages = [stage for stage in repo.index.stages if Path(stage.path) == home / PIPELINE]
    lock = _lock(root)
    reasons = {stage: _reasons(home, stage, lock.get(stage.name), values, code) for stage in stages}
    graph = repo.index.graph
    running = {stage for stage in stages if reasons[stage]}
    # What `check` writes is known already, so that its run makes nothing else run.
    waiting = [stage for stage in running if stage.name != CHECK]
    while waiting:
        dependents = set(graph.predecessors(waiting.pop())) - running
        running |= dependents
        waiting += dependents
    found = []
    for stage in stages:
        before = [other for other in stages if other in running and other in graph.successors(stage)]
        before = [other for other in before if other.name != CHECK]
        # An input that is missing because its stage has yet to run needs no mention beside that stage.
        made = {Path(out.fs_path) for other in before for out in other.outs}
        kept = [reason for reason in reasons[stage] if not (reason.kind == "input" and home / reason.name in made)]
        found.append(StageStatus(stage.name, tuple(kept), tuple(other.name for other in before)))
    return found


def _reasons(
    home: Path, stage: Stage, locked: Mapping[str, Any] | None, values: Mapping[str, Any], code: Mapping[str, str]
) -> list[Reason]:
    """Return the reasons of its own that make a stage run."""
    if locked is None:
        return [Reason("never run", "", "it has not run yet")]
    found = [Reason("command", "", "its command changed")] if stage.cmd_changed else []
    found += _parameters(stage, locked, values)
    manifest = f"{FOLDER}/{stage.name}.txt"
    if stage.name in code:
        found += _code(home, stage.name, locked, code[stage.name])
    states: dict[str, str] = {}
    for entry in stage.status().get(stage.addressing, []):
        if isinstance(entry, dict):
            for states_of_kind in entry.values():
                states |= {path: state for path, state in states_of_kind.items() if isinstance(state, str)}
    for kind, entries in (("input", stage.deps), ("output", stage.outs)):
        for entry in entries:
            path = Path(os.path.relpath(entry.fs_path, home)).as_posix()
            state = states.get(str(entry))
            if state is not None and path != manifest:
                found.append(Reason(kind, path, _STATES.get(state, state)))  # type: ignore[arg-type]
    return found


def _parameters(stage: Stage, locked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Reason]:
    ran_with = locked.get("params", {}).get("params.yaml", {})
    for name in [name for dep in stage.deps for name in getattr(dep, "params", [])]:
        old: Any = ran_with.get(name, ABSENT)
        new: Any = values
        for key in name.split("."):
            new = new.get(key, ABSENT) if isinstance(new, Mapping) else ABSENT
        for difference in compare({name: old}, {name: new}):
            # To DVC, as to Python, 1 and 1.0 are the same.
            before, after = difference.old, difference.new
            if before != after:
                yield Reason("parameter", difference.key, f"{show(before)} -> {show(after)}", before, after)


def _code(home: Path, stage: str, locked: Mapping[str, Any], new: str) -> Iterator[Reason]:
    old = recorded_manifest(home, stage, locked)
    if old is None:
        yield Reason("code", "", "what code it last ran with is not recorded in dvc.lock")
    elif old.md5 == manifest_md5(new):
        return
    elif old.text is None:
        yield Reason("code", "", "its code changed; its earlier manifest, which names the files, is not in DVC's cache")
    else:
        yield from (Reason("code", path, change) for path, change in changed_code(old.text, new))


def _lock(root: Path) -> Mapping[str, Any]:
    """Return the stages of ``dvc.lock``: the parameters, inputs and outputs of the last run of each."""
    path = root / "dvc.lock"
    stages: Any = read_yaml(path).get("stages") if path.exists() else None
    return stages if isinstance(stages, Mapping) else {}


def _reason_as_dict(reason: Reason) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": reason.kind, "name": reason.name, "change": reason.change}
    return fields | ({"old": reason.old, "new": reason.new} if reason.kind == "parameter" else {})
