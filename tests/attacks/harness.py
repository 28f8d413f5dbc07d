"""Running attacks: each on its own copy of a small finished repository, in a process of its own, within limits.

An attack prepares a folder, runs one command of `stageformer` or one stage in it, and is judged by what comes out. To
be fast, the process is forked from one that has imported everything already; it has arguments, standard streams, limits
and an exit code of its own all the same. That this makes no difference is shown by some that become a new process of
Python before they run: see :func:`difference`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.world import TRANSLATION
from tests.repositories import ROOT

SECONDS = 10
"""Of computing: no attack may take longer."""
WAITING = 300.0
"""Seconds by the clock, on a machine that has other things to do: longer is waiting for ever."""
MEMORY = 3 * 2**30
"""Bytes of address space that an attack may ask for, beside what the libraries take."""

STARTING = 10
"""Seconds of computing beside those, for a new process that has everything to import."""

VERDICTS = ("refused in one line", "right", "traceback", "wrong", "timed out")
GOOD = VERDICTS[:2]


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    """of the exit; 128 + N after signal N"""
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool
    folder: Path


Right = Callable[[Outcome], bool]


@dataclass(frozen=True)
class Attack:
    """One wrong input."""

    name: str
    command: Sequence[str]
    """Arguments of `stageformer`, or `stages.NAME` and the arguments of that stage."""
    prepare: Callable[[Path], Any] = lambda root: None
    """Makes the input, in a copy of the world that is the current folder."""
    right: Right | None = None
    """What makes exit code 0 right; None: the input must be refused."""
    stdin: bytes | None = b""
    """None: closed."""
    stdout: str | None = ""
    """A file to print into instead of one that is looked at; None: closed."""
    environment: dict[str, str] = field(default_factory=dict)
    memory: int = MEMORY
    pipe: bool = False
    """Nobody reads what is printed."""
    world: str = TRANSLATION
    """The folder, of those in :mod:`tests.attacks.world`, that is copied."""
    inside: bool = False
    """What prepares it changes the program, serves it from a thread, or becomes a user who may not start Python: no new
    process can be attacked so."""


_GROUPS: dict[str, Callable[[], Iterable[Attack]]] = {}


def attacks(group: str) -> Callable[[Callable[[], Iterable[Attack]]], Callable[[], Iterable[Attack]]]:
    """Declare that a function yields the attacks of a group."""

    def declare(function: Callable[[], Iterable[Attack]]) -> Callable[[], Iterable[Attack]]:
        assert group not in _GROUPS, group
        _GROUPS[group] = function
        return function

    return declare


def groups() -> dict[str, list[Attack]]:
    """Every group of attacks, from all files of this folder whose names begin with ``of_``."""
    import importlib

    for path in sorted(Path(__file__).parent.glob("of_*.py")):
        importlib.import_module(f"tests.attacks.{path.stem}")
    return {name: list(function()) for name, function in _GROUPS.items()}


def anything(outcome: Outcome) -> bool:
    """Exit code 0 is right, whatever is printed."""
    return True


def prints(*texts: str) -> Right:
    """Exit code 0 is right if all of this is printed."""
    return lambda outcome: all(text in outcome.stdout + outcome.stderr for text in texts)


def prints_exactly(text: str) -> Right:
    """Exit code 0 is right if this, and nothing else, is printed on standard output."""
    return lambda outcome: outcome.stdout == text


_CONTROLS = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOISE = re.compile(r"Error|Exception|panicked|thread '|File \"|std::|terminate")


def judge(attack: Attack, outcome: Outcome) -> tuple[str, str]:
    """Return the verdict, one of :data:`VERDICTS`, and what is wrong, if anything is."""
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if outcome.timed_out:
        return "timed out", f"not done after {outcome.seconds:.0f} s"
    if outcome.code not in (0, 1, 2, 141) or "Traceback" in outcome.stderr:
        return "traceback", f"exit code {outcome.code}: {last[:300]}"
    if found := _CONTROLS.search(outcome.stdout + outcome.stderr):
        return "wrong", f"prints the control character {found.group()!r}"
    if outcome.code != 2:
        if attack.right is None:
            return "wrong", f"exit code {outcome.code} instead of a refusal; printed {outcome.stdout[-200:]!r}"
        if not attack.right(outcome):
            return "wrong", f"exit code {outcome.code}; printed {outcome.stdout[-200:]!r} {outcome.stderr[-200:]!r}"
        return "right", ""
    errors = [line for line in lines if line.startswith("error: ")]
    if len(errors) != 1 or errors[0] != last:
        return "wrong", f"{len(errors)} lines of error: {outcome.stderr[-300:]!r}"
    if other := [line for line in lines[:-1] if _NOISE.search(line)]:
        return "wrong", f"prints {other[0][:200]!r} beside its error"
    if len(last) > 2000:
        return "wrong", f"an error of {len(last):,} characters"
    return "refused in one line", ""


def difference(forked: tuple[str, Outcome], new: tuple[str, Outcome]) -> str | None:
    """Return in which way a new process ends otherwise than a forked one, each with its verdict; None: alike."""
    if (forked[0], forked[1].code) != (new[0], new[1].code):
        return f"forked: {forked[0]}, exit code {forked[1].code}; as a new process: {new[0]}, {new[1].code}"
    said = [_said(outcome) for _, outcome in (forked, new)]
    return None if said[0] == said[1] else f"forked: {said[0][-300:]!r}, as a new process: {said[1][-300:]!r}"


def _said(outcome: Outcome) -> str:
    """What a refusal says; of one that is right, nothing: seconds and rates vary.

    Without the number of the folder, and without the fingerprint in the names of folders for checkpoints: it is of the
    modules that are loaded, too, which a new process has fewer of.
    """
    last = outcome.stderr.strip().splitlines()[-1:] if outcome.code == 2 else []
    return re.sub("-[0-9a-f]{24}", "-FINGERPRINT", "".join(last).replace(outcome.folder.parent.name, "FOLDER"))


class Range:
    """Where attacks run: a world to copy, and a process that has imported what they need."""

    def __init__(self, worlds: Path) -> None:
        """``worlds``: a folder of finished repositories, see :mod:`tests.attacks.world`."""
        self._worlds = worlds
        self._folder = Path(tempfile.mkdtemp(prefix="attacks-", dir=folder_in_memory()))
        self._count = 0
        self._running: dict[int, tuple[Attack, Path, float, int]] = {}
        preload()

    def close(self) -> None:
        """Remove what the attacks left."""
        _remove(self._folder)

    def run(self, attack: Attack, *, new: bool = False) -> Outcome:
        """Run one attack."""
        ((_, outcome),) = self.run_all([attack], new=new)
        return outcome

    def run_all(
        self, attacks: Iterable[Attack], jobs: int = 1, *, new: bool = False
    ) -> Iterator[tuple[Attack, Outcome]]:
        """Run attacks, so many at a time; yields each with its outcome, in the order in which they end.

        Args:
            attacks: none with ``inside`` if ``new``
            jobs: how many at a time
            new: let each become a new process of Python, which takes a second or more
        """
        waiting = iter(attacks)
        exhausted = False
        while True:
            while not exhausted and len(self._running) < jobs:
                attack = next(waiting, None)
                if attack is None:
                    exhausted = True
                else:
                    self._start(attack, new)
            if not self._running:
                return
            yield from self._ended()

    def _start(self, attack: Attack, new: bool) -> None:
        self._count += 1
        folder = self._folder / f"{self._count:05d}"
        root = folder / "repository"
        shutil.copytree(self._worlds / attack.world, root, symlinks=True)
        (folder / "stdin").write_bytes(attack.stdin or b"")
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = _child(attack, folder, root, new)
            except BaseException as error:
                with contextlib.suppress(Exception):
                    (folder / "harness").write_text(repr(error))
            finally:
                os._exit(code)
        self._running[pid] = (attack, folder, time.monotonic(), os.pidfd_open(pid))

    def _ended(self) -> Iterator[tuple[Attack, Outcome]]:
        by_fd = {entry[3]: pid for pid, entry in self._running.items()}
        now = time.monotonic()
        left = min(started + WAITING - now for _, _, started, _ in self._running.values())
        ready, _, _ = select.select(list(by_fd), [], [], max(0.0, left))
        late = [pid for pid, entry in self._running.items() if time.monotonic() - entry[2] >= WAITING]
        for pid in {*(by_fd[fd] for fd in ready), *late}:
            attack, folder, started, fd = self._running.pop(pid)
            timed_out = fd not in ready
            if timed_out:
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(ProcessLookupError):  # and whatever it has started
                os.killpg(pid, signal.SIGKILL)
            os.close(fd)
            assert not (folder / "harness").exists(), f"{attack.name}: {(folder / 'harness').read_text()}"
            code = os.waitstatus_to_exitcode(status)
            timed_out = timed_out or code in (-signal.SIGXCPU, -signal.SIGKILL)
            outcome = Outcome(
                code=code if code >= 0 else 128 - code,
                stdout=_text(folder / "stdout"),
                stderr=_text(folder / "stderr"),
                seconds=time.monotonic() - started,
                timed_out=timed_out,
                folder=folder / "repository",
            )
            yield attack, outcome
            _remove(folder)


def folder_in_memory() -> str | None:
    """Return a folder that no disk is behind, where there is one: most of the time is for writing small files."""
    place = "/dev/shm"
    return place if os.access(place, os.W_OK | os.X_OK) and shutil.disk_usage(place).free > 2**30 else None


def _remove(folder: Path) -> None:
    for path, _, _ in os.walk(folder):  # from the top, so that what is locked is open before it is looked into
        with contextlib.suppress(OSError):
            os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return file.read(1_000_000).decode(errors="replace")


def _child(attack: Attack, folder: Path, root: Path, new: bool) -> int:
    """Become the attacked program. Returns the exit code."""
    os.setpgid(0, 0)
    os.chdir(root)
    os.environ.update({"STAGEFORMER_SCRATCH": str(folder / "scratch"), **attack.environment})
    os.environ.pop("STAGEFORMER_DEBUG", None)
    _redirect(attack, folder)
    attack.prepare(root)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + attack.memory, used + attack.memory))
    seconds = SECONDS + STARTING if new else SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name, *arguments = attack.command
    if new:
        assert not attack.inside, attack.name
        os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
        program = ["-m"] if name.startswith("stages.") else [str(Path(sys.executable).with_name("stageformer"))]
        command = [*program, *attack.command]
        os.execv(sys.executable, [sys.executable, *command])
    if name.startswith("stages."):
        import importlib

        program, arguments = importlib.import_module(name).main, list(arguments)
    else:
        from stageformer.cli import main

        program, arguments = main, list(attack.command)
    sys.argv = [name, *arguments]
    try:
        program.main(arguments, prog_name="stageformer")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return code or _code_of_children()


def _code_of_children() -> int:
    """Wait for the processes that ran beside the attacked one; returns the first exit code that is not 0."""
    found = 0
    while True:
        try:
            _, status = os.wait()
        except ChildProcessError:
            return found
        code = os.waitstatus_to_exitcode(status)
        found = found or (code if code >= 0 else 128 - code)


def _redirect(attack: Attack, folder: Path) -> None:
    """Give the process standard streams of its own."""
    places = [folder / "stdin", attack.stdout or folder / "stdout", folder / "stderr"]
    closed = [attack.stdin is None, attack.stdout is None, False]
    modes = [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC]
    for number, (place, is_closed, mode) in enumerate(zip(places, closed, modes, strict=True)):
        if is_closed:
            os.close(number)
            continue
        fd = os.open(place, mode, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    if attack.pipe:
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
    sys.stdin = None if closed[0] else open(0, encoding="utf-8", closefd=False)
    sys.stdout = None if closed[1] else open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)


def preload() -> None:
    """Import what attacked programs import, once. No computation: threads do not survive a fork."""
    import importlib

    names = [
        "stageformer.cli", "torch", "pyarrow.parquet", "stageformer.translator.translator", "stageformer.terminal.show",
        "stageformer.terminal.show_tensors", "stageformer.terminal.summary", "stageformer.terminal.score",
        "stageformer.terminal.answers", "stageformer.report.write", "stageformer.figures.explain",
        "encodings.unicode_escape", "stageformer.params.recipes", "stageformer.experiments.comparison",
        "stageformer.memory.padded", "stageformer.memory.pooling", "stageformer.terminal.similar",
        "stageformer.terminal.nearest", "stageformer.terminal.side_by_side", "stageformer.translator.completer",
        "stageformer.probing.probe", "stageformer.walk.page", "stageformer.walk.walked",
        "stageformer.experiments.table",
        "stageformer.vectors.http", "stageformer.vectors.file", "stageformer.vectors.langchain",
        "stageformer.experiments.cache", "stageformer.terminal.table_text", "dvc.repo", "dvc.exceptions",
        *(f"stages.{path.stem}" for path in (ROOT / "stages").glob("[!_]*.py")
          if path.stem not in ("common", "export")),
    ]  # fmt: skip
    for name in names:
        importlib.import_module(name)


def table(verdicts: dict[str, Counter[str]]) -> str:
    """Return the numbers of verdicts by group, as lines."""
    head = ["group", "tried", *VERDICTS]
    rows = [[name, str(counts.total()), *(str(counts[v]) for v in VERDICTS)] for name, counts in verdicts.items()]
    total: Counter[str] = sum(verdicts.values(), Counter())
    rows.append(["all", str(total.total()), *(str(total[v]) for v in VERDICTS)])
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in [head, *rows]
    )
