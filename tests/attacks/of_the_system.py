"""Errors of the operating system: every reader and writer meets folders, links, names and rights that do not fit."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, anything, attacks, prints

MODEL = "data/train_decoder/model.pt"
READERS = {
    "translate model": (("translate", "one"), MODEL),
    "translate vocabulary": (("translate", "one"), "data/vocab/vocabulary.parquet"),
    "translate tokenizer": (("translate", "one"), "data/tokenize/tokenizer/shared/tokenizer.json"),
    "translate config": (("translate", "one"), "data/tokenize/tokenizer/config.json"),
    "translate input": (("translate", "--input", "corpus/train.en", "--output", "o"), "corpus/train.en"),
    "summary metrics": (("summary",), "reports/evaluate/metrics.json"),
    "score translations": (("score",), "reports/evaluate/translations.json"),
    "score files": (("score", "--hypotheses", "corpus/train.en", "--references", "corpus/train.de"), "corpus/train.de"),
    "check": (("check",), "params.yaml"),
    "use": (("use", "joint"), "recipes/joint.yaml"),
    "show table": (("show", "data/vocab/test.parquet"), "data/vocab/test.parquet"),
    "show tensors": (("show", MODEL), MODEL),
    "show json": (("show", "reports/evaluate/metrics.json"), "reports/evaluate/metrics.json"),
    "report metrics": (("report",), "reports/evaluate/metrics.json"),
    "report table": (("report",), "reports/evaluate/translations.json"),
    "memory export": (("memory", "export", "data/encode/test", "o"), "data/encode/test/memory-00000.pt"),
    "tokenize": (("stages.tokenize",), "data/ingest/train.parquet"),
    "vocab": (("stages.vocab",), "data/tokenize/train.parquet"),
    "embed": (("stages.embed",), "data/vocab/vocabulary.parquet"),
    "encode": (("stages.encode",), "data/train_encoder/encoder.pt"),
    "train": (("stages.train_decoder",), "data/embed/positions.pt"),
    "ingest": (("stages.ingest",), "corpus/train.en"),
}
"""Commands that read one file, and the file."""


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere/at/all")


def _under_a_file(path: Path) -> None:
    folder = path.parent
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()
    folder.write_text("a file where a folder should be")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _endless(path: Path) -> None:
    """A device node of the attack's own that gives zeros without end; only root can make one."""
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _huge(path: Path) -> None:
    """Eight gigabytes of zeros that take no room on the disk."""
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**33)


DEFECTS: dict[str, Callable[[Path], Any]] = {
    "a folder": _folder, "a loop of links": _loop, "a dangling link": _dangling, "a file for its folder": _under_a_file,
    "an empty file": _empty, "a pipe that nobody writes": _pipe, "a socket": _socket, "a huge file": _huge,
    **({"a device without end": _endless} if os.getuid() == 0 else {}),
}  # fmt: skip


@attacks("errors of the system: reading")
def reading() -> Iterator[Attack]:
    for reader, (command, path) in READERS.items():
        for defect, make in DEFECTS.items():
            if "/" not in path and defect == "a file for its folder":
                continue
            if reader in ("translate input", "score files") and defect == "a pipe that nobody writes":
                continue  # the output of another program may be given there, and is waited for
            # An empty input has no translations.
            shows_the_folder = defect == "a folder" and reader.startswith("show")
            right = anything if (reader, defect) == ("translate input", "an empty file") or shows_the_folder else None
            if reader == "report table":  # the page says what it lacks
                right = prints("translations")
            yield Attack(
                f"{reader}: {defect}", command, lambda root, make=make, path=path: make(root / path), right=right
            )
    for name in ("x" * 300, "x/" * 3000, "no\nsuch", "nul", "-", "~", ".", "..", "corpus/train.en/x"):
        for command in (("show", name), ("translate", "--input", name, "--output", "o"), ("check", "--params", name),
                        ("translate", "one", "--model", name), ("compare", name), ("use", "--params", name, "joint"),
                        ("report", name), ("memory", "export", name, "o")):  # fmt: skip
            if name in ("~", ".", "..") and command[0] == "show":
                continue
            is_the_root = name == "." and command[0] in ("compare", "report", "translate")
            makes_it = command[0] == "use" and "/" not in name and name not in (".", "..") and len(name) < 300
            right = anything if is_the_root or makes_it else None
            yield Attack(f"{command[0]}: the name {name[:20]!r}", command, right=right)


WRITERS = {
    "translate": ("translate", "--input", "corpus/valid.en", "--output"),
    "explain": ("explain", "one", "--kind", "cross", "--output"),
    "report": ("report", "--output"),
    "memory export": ("memory", "export", "data/encode/test"),
    "export": ("export",),
    "check": ("stages.check", "--output"),
    "tokenize": ("stages.tokenize", "--output"),
    "vocab": ("stages.vocab", "--output"),
    "embed": ("stages.embed", "--output"),
    "encode": ("stages.encode", "--output"),
    "translate stage": ("stages.translate", "--output"),
}
"""Commands that end with where they write."""


@attacks("errors of the system: writing")
def writing() -> Iterator[Attack]:
    for writer, command in WRITERS.items():
        for place in ("params.yaml/x", "/proc/nothing/x", "x" * 300, "x/" * 3000, ""):
            # '' is the current folder, where a folder of outputs may be.
            right = anything if not place and writer not in ("translate", "report", "explain") else None
            yield Attack(f"{writer}: to {place[:20]!r}", (*command, place), right=right)
        # A picture has an ending, so that explain writes beside the link.
        yield Attack(
            f"{writer}: to a loop of links", (*command, "loop"), lambda root: (root / "loop").symlink_to("loop"),
            right=anything if writer == "explain" else None,
        )  # fmt: skip
    for writer in ("tokenize", "embed", "encode", "translate stage", "report", "translate"):
        command = ("translate", "--input", "corpus/train.en", "--output") if writer == "translate" else WRITERS[writer]
        # What is printed goes into a file as well, and is shorter than that.
        yield Attack(
            f"{writer}: larger than files may be", (*command, "o"),
            lambda root: __import__("resource").setrlimit(__import__("resource").RLIMIT_FSIZE, (1024, 1024)),
        )  # fmt: skip
    for scratch in ("params.yaml", "/proc/none", "params.yaml/below"):
        for stage in ("stages.train_encoder", "stages.train_decoder"):
            # A training this short writes no checkpoint.
            yield Attack(f"{stage}: scratch in {scratch}", (stage,), right=anything,
                         environment={"STAGEFORMER_SCRATCH": scratch})  # fmt: skip
    for command in (("check",), ("show", "data/vocab"), ("summary",), ("translate", "one"), ("use",), ("score",),
                    ("completion", "bash")):  # fmt: skip
        yield Attack(f"{command[0]}: a full standard output", command, stdout="/dev/full")
        yield Attack(f"{command[0]}: a closed standard output", command, stdout=None)
        yield Attack(f"{command[0]}: nobody reads", command, right=lambda outcome: outcome.stderr == "", pipe=True)


@attacks("errors of the system: rights")
def rights() -> Iterator[Attack]:
    """As a user without rights, where the machine has one to become."""
    if os.getuid() != 0:
        return

    def locked(root: Path, *paths: str) -> None:
        for path in [root, *root.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o555 if path.is_dir() else 0o444)
        for path in paths:
            (root / path).chmod(0)
        for path in (root.parent, root.parent.parent):
            path.chmod(0o755)
        os.setgid(65534)
        os.setuid(65534)

    for name in ("embed", "encode", "evaluate", "tokenize", "vocab", "ingest", "translate", "check"):
        yield Attack(f"stages.{name}: a read-only tree", (f"stages.{name}",), locked, inside=True)
    for command in (("use", "joint"), ("translate", "--input", "corpus/valid.en", "--output", "o"), ("export", "o"),
                    ("explain", "one"), ("memory", "export", "data/encode/test", "o"), ("report",)):  # fmt: skip
        yield Attack(f"{command[0]}: a read-only tree", command, locked, inside=True)
    for reader, (command, path) in READERS.items():
        yield Attack(f"{reader}: unreadable", command, lambda root, path=path: locked(root, path), inside=True)
