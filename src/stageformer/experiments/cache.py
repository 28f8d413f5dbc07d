"""DVC's cache: find entries whose content is not what their names say, remove them, and get them back.

An entry is named after the md5 of its content. When a disk or a program changes one, DVC does not notice: `dvc repro
--force` makes the output anew, finds its md5 in the cache, and puts the damaged entry in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stageformer.artifacts.files import atomic_file
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError
from stageformer.experiments.missing import LOCK, locked_outputs, remote_settings

Outcome = Literal["taken from the workspace", "fetched from the remote", "to be made again"]


@dataclass(frozen=True)
class Output:
    """A file that ``dvc.lock`` names as an output, or as a part of one that is a folder."""

    path: str
    """relative to the root"""
    md5: str
    stage: str


@dataclass(frozen=True)
class Repair:
    """What was wrong with an entry, and what became of it."""

    md5: str
    wrong: Literal["damaged", "missing"]
    output: Output | None
    """None: of another version than the one that ``dvc.lock`` names"""
    outcome: Outcome | None
    """None: it was only removed"""


@dataclass(frozen=True)
class Healed:
    """What :func:`heal` found and did."""

    folder: Path
    num_entries: int
    num_bytes: int
    repairs: list[Repair]
    changed: list[Output]
    """outputs that are not as ``dvc.lock`` says, though the cache has what it says"""


def heal(root: Path) -> Healed:
    """Check every entry of the cache; remove the damaged ones, and get back what the current outputs need.

    A damaged entry is removed together with its copies among the outputs, and a missing one is taken from an output
    that has the right content. What is then still missing is fetched, if a remote is configured. Nothing else is
    changed: an output that differs may have been made by hand.

    Raises:
        StageformerError: this is no repository of DVC, or DVC is at work in it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            entries = Entries(Path(repo.cache.local.path))
            healed = _heal(root, entries)
    except DvcException as error:
        raise StageformerError(f"{root}: {error}") from None
    wanted = [repair.output.path for repair in healed.repairs if repair.output and repair.outcome == "to be made again"]
    if not wanted or not remote_settings(root)["remote"]:
        return healed
    for command in ("fetch", "checkout"):
        dvc = [sys.executable, "-m", "dvc", command, "-q", *wanted]
        subprocess.run(dvc, cwd=root, capture_output=True, check=False)  # what fails is seen by what is then missing
    repairs = [
        replace(repair, outcome="fetched from the remote")
        if repair.outcome == "to be made again" and entries.is_whole(repair.md5)
        else repair
        for repair in healed.repairs
    ]
    return replace(healed, repairs=repairs)


class Entries:
    """The entries of a cache, by the md5 that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            md5 = path.parent.name + path.name
            if _MD5.fullmatch(md5) and not path.is_dir():  # others are temporary files of DVC, or not of DVC
                yield md5

    def path(self, md5: str) -> Path:
        """Return the file of an entry."""
        return self.folder / md5[:2] / md5[2:]

    def is_whole(self, md5: str) -> bool:
        """Whether an entry is there and its content is what its name says."""
        path = self.path(md5)
        return path.is_file() and md5_of(path) == md5.removesuffix(".dir")

    def files(self, md5: str) -> list[tuple[str, str]]:
        """Return path and md5 of each file of a folder; none, if its entry is missing.

        Raises:
            StageformerError: the entry is no list of the files of a folder, though it is what its name says.
        """
        path = self.path(md5)
        found = read_json(path) if path.is_file() else []
        if not isinstance(found, list):
            raise _no_list(path)
        for file in found:
            if not isinstance(file, dict) or not _is_inside(file.get("relpath")) or not _is_md5(file.get("md5")):
                raise _no_list(path)
        return [(file["relpath"], file["md5"]) for file in found]


def _heal(root: Path, entries: Entries) -> Healed:
    known, num_bytes = 0, 0
    damaged: dict[str, str] = {}  # the md5 that each has
    for md5 in entries:
        path = entries.path(md5)
        found = md5_of(path) if path.is_file() else ""  # a pipe or a link to nowhere has no content
        known, num_bytes = known + 1, num_bytes + path.lstat().st_size
        if found != md5.removesuffix(".dir"):
            damaged[md5] = found
            path.unlink()
    tops = list(_outputs(root))
    repairs = []
    for top in tops:
        is_missing = top.md5.endswith(".dir") and not entries.path(top.md5).is_file()
        if is_missing and _list_again(root / top.path, top.md5, entries):
            repairs.append(Repair(top.md5, _wrong(top.md5, damaged), top, "taken from the workspace"))
    outputs = [part for top in tops for part in _parts(top, entries)]
    needed = {output.md5 for output in (*tops, *outputs)}
    repairs += [Repair(md5, "damaged", None, None) for md5 in damaged if md5 not in needed]
    changed = []
    for output in outputs:
        path, entry = root / output.path, entries.path(output.md5)
        if path.is_file() and entry.is_file() and path.samefile(entry):
            continue
        its_md5 = md5_of(path) if path.is_file() else None
        if entry.is_file():
            if its_md5 not in (None, output.md5):
                changed.append(output)
            continue
        outcome: Outcome = "to be made again"
        if its_md5 == output.md5:
            _put(path, entry)
            outcome = "taken from the workspace"
        elif its_md5 is not None and its_md5 == damaged.get(output.md5):
            path.unlink()
        repairs.append(Repair(output.md5, _wrong(output.md5, damaged), output, outcome))
    return Healed(entries.folder, known, num_bytes, repairs, changed)


def _wrong(md5: str, damaged: Mapping[str, str]) -> Literal["damaged", "missing"]:
    return "damaged" if md5 in damaged else "missing"


def _outputs(root: Path) -> Iterator[Output]:
    """Yield the outputs of all stages that DVC keeps in its cache."""
    for lock in (root / LOCK, *sorted(root.glob(f"*/{LOCK}"))):
        for name, out in locked_outputs(lock):
            path = os.path.relpath(lock.parent / out["path"], root)
            if "md5" not in out or path.startswith("reports/"):  # those are in git, not in the cache
                continue
            if not _is_inside(path) or not _is_md5(out["md5"]):
                raise StageformerError(f"{lock}: names {path} of {out['md5']}, which is no output of this repository")
            yield Output(path, out["md5"], name)


_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def _is_md5(value: object) -> bool:
    return isinstance(value, str) and _MD5.fullmatch(value) is not None


def _is_inside(path: object) -> bool:
    """Whether a path stays in the folder that it is relative to: what a list of others names is looked for there."""
    return isinstance(path, str) and not os.path.isabs(path) and ".." not in Path(path).parts and "\0" not in path


def _no_list(path: Path) -> StageformerError:
    return StageformerError(f"{path}: is no list of the files of a folder, as DVC writes it; remove it, and run again")


def _parts(output: Output, entries: Entries) -> list[Output]:
    if not output.md5.endswith(".dir"):
        return [output]
    if not entries.path(output.md5).is_file():
        return [output]
    return [Output(f"{output.path}/{path}", md5, output.stage) for path, md5 in entries.files(output.md5)]


def _list_again(folder: Path, md5: str, entries: Entries) -> bool:
    """Write the list of the files of a folder, which is its entry, and return True, if that gives the right md5."""
    content = listing(folder)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        return False
    with atomic_file(entries.path(md5)) as file:
        file.write(content)
    entries.path(md5).chmod(0o444)
    return True


def listing(folder: Path) -> bytes:
    """Return the list of the files of a folder, as DVC keeps it; the md5 of the folder is that of the list."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    found: list[Mapping[str, str]] = [
        {"md5": md5_of(path), "relpath": path.relative_to(folder).as_posix()} for path in files
    ]
    return json.dumps(sorted(found, key=lambda file: file["relpath"]), sort_keys=True).encode()


def _put(path: Path, entry: Path) -> None:
    """Copy an output into the cache, where files are read-only."""
    with path.open("rb") as original, atomic_file(entry) as copy:
        shutil.copyfileobj(original, copy)
    entry.chmod(0o444)


def md5_of(path: Path) -> str:
    """Return the md5 of a file, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
