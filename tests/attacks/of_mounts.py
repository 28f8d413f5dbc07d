"""Small and read-only file systems, clocks that go backwards, and many processes at once.

A file system is mounted in a namespace of the attacked process alone, in its own folder, so that it is gone with it;
only root may do that.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.harness import Attack, Outcome, anything, attacks
from tests.attacks.making import both

_NEW_NAMESPACE, _READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x20000, 1, 32, 4096, 16384, 1 << 18


def _mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {source} {target}")


def _alone() -> None:
    """Give this process mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NAMESPACE):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)


def may_mount() -> bool:
    """Return whether this user and this machine can give a process mounts of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            _alone()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _small(*folders: str, kilobytes: int) -> Callable[[Path], None]:
    """Return what puts a file system of so many kilobytes, empty, in the place of each folder."""

    def prepare(root: Path) -> None:
        _alone()
        for folder in folders:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
            _mount("tmpfs", root / folder, "tmpfs", 0, f"size={kilobytes}k")

    return prepare


def _read_only(folder: str) -> Callable[[Path], None]:
    """Return what mounts a folder over itself, read-only."""

    def prepare(root: Path) -> None:
        _alone()
        (root / folder).mkdir(parents=True, exist_ok=True)
        _mount(str(root / folder), root / folder, "", _BIND)
        _mount("none", root / folder, "", _REMOUNT | _BIND | _READ_ONLY)

    return prepare


STAGES = (
    "check",
    "ingest",
    "tokenize",
    "vocab",
    "embed",
    "train_encoder",
    "encode",
    "train_decoder",
    "translate",
    "evaluate",
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "translate": ("translate", "--input", "corpus/train.en", "--output", "full/o"),
    "report": ("report", "--output", "full/o"),
    "walk": ("walk", "one", "--output", "full/o.html"),
    "explain": ("explain", "one", "--output", "full/o.png"),
    "memory export": ("memory", "export", "data/encode/train", "full/o"),
    "memory pool": ("memory", "pool", "data/encode/train", "full/o"),
}


@attacks("disks: small and read-only")
def disks() -> Iterator[Attack]:
    if not may_mount():
        return
    for stage in STAGES:
        # What little some of them write fits into four kilobytes; then it is all there.
        yield Attack(f"{stage}: a full disk", (f"stages.{stage}",), _small(f"data/{stage}", kilobytes=4), _whole(stage))
        yield Attack(
            f"{stage}: full reports", (f"stages.{stage}",), _small(f"reports/{stage}", kilobytes=4), _whole(stage)
        )
        yield Attack(f"{stage}: read-only", (f"stages.{stage}",), _read_only(f"data/{stage}"))
        yield Attack(f"{stage}: a repository that is read-only", (f"stages.{stage}",), _read_only("."))
    for name, command in COMMANDS.items():
        yield Attack(
            f"{name}: a full disk",
            command,
            _small("full", kilobytes=4),
            anything if name in ("translate", "memory export", "memory pool") else None,
        )
        yield Attack(f"{name}: read-only", command, _read_only("full"))
    for command in (
        ("show", "data/vocab"),
        ("translate", "one"),
        ("summary",),
        ("check",),
        ("status",),
        ("nearest", "one"),
        ("similar", "one"),
        ("score",),
    ):
        yield Attack(
            f"{command[0]}: a repository that is read-only", command, _read_only("."), anything, memory=6 * 2**30
        )


def _whole(stage: str) -> Callable[[Outcome], bool]:
    """Nothing is left half-written: no temporary name, and what is there is as the world has it."""

    def right(outcome: Outcome) -> bool:
        return not list((outcome.folder / "data" / stage).rglob("*.partial"))

    return right


def _backwards(root: Path) -> None:
    """Let the clock of the day go back by an hour at each look."""
    now = [time.time()]

    def earlier() -> float:
        now[0] -= 3600
        return now[0]

    time.time = earlier
    time.time_ns = lambda: int(earlier() * 1e9)


def _dated(year: int) -> Callable[[Path], None]:
    """Return what gives all files a date."""

    def prepare(root: Path) -> None:
        when = (year - 1970) * 31_556_952
        for path in root.rglob("*"):
            if not path.is_symlink():
                os.utime(path, (when, when))

    return prepare


OUTPUTS = {
    "tokenize": "data/tokenize/train.parquet",
    "vocab": "data/vocab/train.parquet",
    "embed": "data/embed/embedding.pt",
    "train_encoder": "data/train_encoder/encoder.pt",
    "encode": "data/encode/train/memory-00000.pt",
    "train_decoder": "data/train_decoder/model.pt",
    "translate": "data/translate/hypotheses.parquet",
    "evaluate": "data/evaluate/translations.parquet",
}


def _remember(path: str) -> Callable[[Path], None]:
    return lambda root: shutil.copy(root / path, root / "wanted") and None


def _same(path: str) -> Callable[[Outcome], bool]:
    return lambda outcome: (outcome.folder / path).read_bytes() == (outcome.folder / "wanted").read_bytes()


@attacks("clocks")
def clocks() -> Iterator[Attack]:
    for stage, path in OUTPUTS.items():
        for name, change in (
            ("goes backwards", _backwards),
            ("of files is 1970", _dated(1970)),
            ("of files is 2200", _dated(2200)),
        ):
            yield Attack(f"{stage}: the clock {name}", (f"stages.{stage}",), both(_remember(path), change), _same(path),
                         inside=change is _backwards)  # fmt: skip
    for command in (("report",), ("summary",), ("show", "data"), ("status",)):
        yield Attack(f"{command[0]}: the clock goes backwards", command, _backwards, anything, memory=6 * 2**30,
                     inside=True)  # fmt: skip


def _beside(number: int, stage: str) -> Callable[[Path], None]:
    """Return what starts the same stage in other processes, in the same folder and with the same scratch folder."""

    def prepare(root: Path) -> None:
        import importlib

        for _ in range(number):
            if os.fork() == 0:
                code = 70
                try:
                    importlib.import_module(f"stages.{stage}").main([], standalone_mode=False)
                    code = 0
                except BaseException as error:
                    print(f"Traceback of a process beside: {error!r}", file=sys.stderr, flush=True)
                finally:
                    os._exit(code)

    return prepare


@attacks("eight processes at once")
def together() -> Iterator[Attack]:
    for stage, path in OUTPUTS.items():
        yield Attack(
            f"{stage}, eight times", (f"stages.{stage}",), both(_remember(path), _beside(7, stage)), _same(path),
            inside=True,
        )  # fmt: skip


OVERRIDES = (
    "embed.seed=1e3",
    "embed.seed=",
    "embed.seed=null",
    "embed.seed=0x10",
    "embed.seed=010",
    "embed.seed=1_000",
    "embed.seed=9223372036854775808",
    "embed.d_model=${embed.seed}",
    "embed.d_model=-0",
    "+embed.more=1",
    "~embed.seed",
    "embed={}",
    "embed=[]",
    "embed.source.kind=file",
    "ingest.files.train=[]",
    "ingest.files.train=[corpus/train.en]",
    "ingest.source_language=no",
    "ingest.source_language=2001-01-01",
    "tokenize.source=bpe",
    "compute.threads=1.0",
    "compute.threads=true",
    "train_encoder.training.max_updates=1e400",
    "evaluate.num_pictures='3'",
    r"ingest.source_language='\x1b[31m'",
    "ingest.require_letters=yes",
    "translate.beam_size=2 ",
    "++embed.seed.x=1",
)
"""Values as `dvc exp run -S` is given them."""


@attacks("values of dvc exp run -S")
def overrides() -> Iterator[Attack]:
    # Hydra takes 1_000 for 1000, and lays {} over a group, which changes nothing of it.
    allowed = {"translate.beam_size=2 ", "embed.seed=1_000", "embed={}"}
    allowed |= {override for override in OVERRIDES if "language=" in override}  # any text may name a language
    for override in OVERRIDES:

        def prepare(root: Path, override: str = override) -> None:
            from dvc.utils.hydra import apply_overrides

            # What DVC itself refuses never reaches the file.
            try:
                apply_overrides(root / "params.yaml", [override])
            except Exception as error:
                (root / "params.yaml").write_text(f"refused: {type(error).__name__}\n")

        right: Any = anything if override in allowed else None
        for command in (("check",), ("stages.check",)):
            yield Attack(f"{command[0]}: -S {override}", command, prepare, right, memory=6 * 2**30)
