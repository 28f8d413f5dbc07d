"""`heal` on caches of DVC, lists and locks that hold something wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, attacks, prints
from tests.attacks.making import away, setting, write

MODEL = "data/train_decoder/model.pt"


def _cache(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Return what makes a cache of DVC with the outputs of the world, and then something wrong in it."""

    def prepare(root: Path) -> None:
        from ruamel.yaml import YAML

        cache = root / ".dvc/cache/files/md5"
        lock = YAML(typ="safe", pure=True).load(root / "dvc.lock")
        for stage in lock["stages"].values():
            for out in stage["outs"]:
                if (root / out["path"]).is_file():
                    place = cache / out["md5"][:2] / out["md5"][2:]
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(root / out["path"], place)
        make(root)

    return prepare


def _entry(root: Path) -> Path:
    return sorted((root / ".dvc/cache/files/md5").glob("??/*"))[0]


def _listed(entries: object) -> Callable[[Path], None]:
    """Return what writes a list of a folder that has the right md5, and names it in dvc.lock."""

    def make(root: Path) -> None:
        import hashlib

        content = (entries if isinstance(entries, str) else json.dumps(entries)).encode()
        md5 = hashlib.md5(content).hexdigest()
        place = root / ".dvc/cache/files/md5" / md5[:2] / f"{md5[2:]}.dir"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        setting(
            "dvc.lock", stages={"x": {"cmd": "x", "outs": [{"path": "data/x", "md5": f"{md5}.dir", "hash": "md5"}]}}
        )(root)

    return make


@attacks("commands: heal")
def healing() -> Iterator[Attack]:
    def swap(make: Callable[[Path], Any]) -> Callable[[Path], None]:
        def change(root: Path) -> None:
            path = _entry(root)
            path.unlink()
            make(path)

        return change

    found = lambda outcome: "entries" in outcome.stdout  # noqa: E731
    cases: dict[str, tuple[Callable[[Path], Any], Any]] = {
        "whole": (lambda root: None, found),
        "a damaged entry": (swap(lambda path: path.write_text("x")), prints("damaged")),
        "an entry that is a folder": (swap(lambda path: path.mkdir()), found),
        "an entry that is a pipe": (swap(lambda path: __import__("os").mkfifo(path)), found),
        "an entry that is a loop of links": (swap(lambda path: path.symlink_to(path.name)), found),
        "an entry that is a dangling link": (swap(lambda path: path.symlink_to("nowhere")), found),
        "an entry that is a link to a file": (
            swap(lambda path: path.symlink_to(path.parents[5] / "params.yaml")),
            found,
        ),
        "an odd name": (lambda root: (_entry(root).parent / ("\x1b[31m" + "z" * 25)).write_text("x"), found),
        "a file for the cache": (
            lambda root: shutil.rmtree(root / ".dvc/cache") or (root / ".dvc/cache").write_text("x"),
            None,
        ),
        "no cache": (lambda root: shutil.rmtree(root / ".dvc/cache"), found),
        "a folder for an output": (lambda root: (root / MODEL).unlink() or (root / MODEL).mkdir(), found),
        "a pipe for an output": (lambda root: (root / MODEL).unlink() or __import__("os").mkfifo(root / MODEL), found),
        "a list that is none": (_listed("{"), None),
        "a list of numbers": (_listed([1, 2]), None),
        "a list of nothing": (_listed([{}]), None),
        "an entry that climbs": (_listed([{"relpath": "../../../climbs", "md5": "0" * 32}]), None),
        "an absolute entry": (_listed([{"relpath": "/etc/hostname", "md5": "0" * 32}]), None),
        "an md5 that climbs": (_listed([{"relpath": "x", "md5": "../../../../params.yaml"}]), None),
        "a deep list": (_listed("[" * 100_000), None),
        "an md5 of numbers": (_listed([{"relpath": "x", "md5": 3}]), None),
        "no lock": (away("dvc.lock"), found),
        "an empty lock": (write("dvc.lock", ""), None),
        "a lock of text": (write("dvc.lock", "x"), None),
        "stages that are a number": (setting("dvc.lock", stages=5), None),
        "a stage that is a list": (setting("dvc.lock", stages={"a": []}), None),
        "outs that are text": (setting("dvc.lock", stages={"a": {"outs": "x"}}), None),
        "an out of nothing": (setting("dvc.lock", stages={"a": {"outs": [{}]}}), None),
        "an md5 that is a number": (setting("dvc.lock", stages={"a": {"outs": [{"path": "x", "md5": 5}]}}), None),
        "a path that climbs": (
            setting("dvc.lock", stages={"a": {"outs": [{"path": "../../x", "md5": "0" * 32}]}}),
            None,
        ),
        "a deep lock": (write("dvc.lock", "a: " + "[" * 100_000), None),
        "no folder of DVC": (lambda root: shutil.rmtree(root / ".dvc"), None),
        "a configuration of text": (write(".dvc/config", "x\x1b[31m"), None),
    }
    for name, (make, right) in cases.items():
        yield Attack(name, ("heal",), _cache(make), right, memory=6 * 2**30)
