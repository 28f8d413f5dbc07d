"""Checkpoints: what a killed training resumes from, and the signals that make it write one and exit.

DVC deletes the outputs of a stage before it runs it, and an experiment in a temporary copy of the repository loses the
whole copy. So checkpoints live in a scratch folder outside of both, one folder per training, named by the fingerprint
of all that its result depends on, and success removes them.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from torch import Tensor

from stageformer.artifacts.files import check_writable, remove_left_over
from stageformer.artifacts.scratch import scratch_folder
from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.console.output import warn
from stageformer.errors import StageformerError
from stageformer.training.state import Progress

KEPT = 2
"""Checkpoints of one training on the disk: should the newest be damaged, there is one before it."""

LARGEST_SHARE = 0.005
"""Of the time, for writing."""


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, stage: str, fingerprint: str) -> None:
        """``fingerprint`` is of all that the result of the training depends on.

        Raises:
            StageformerError: the user has no home, and no scratch folder is named.
        """
        try:
            self.folder = scratch_folder() / f"{stage}-{fingerprint[:24]}"
        except RuntimeError:
            raise StageformerError(f"there is no home folder to keep checkpoints in; {_REMEDY}") from None
        self._fingerprint = fingerprint
        self._started = time.perf_counter()
        self._writing = 0.0
        self._last = 0.0

    def check_writable(self) -> None:
        """Raise StageformerError unless checkpoints can be written: before the first update, not after it."""
        with _naming_scratch():
            check_writable(self.folder / "update.pt")

    def newest(
        self, fits: Callable[[Progress, dict[str, Tensor]], None], *, quiet: bool = False
    ) -> tuple[Progress, dict[str, Tensor]] | None:
        """Return the newest intact checkpoint, or None if there is none; warn of others, unless ``quiet``.

        Args:
            fits: raises ValueError if the content cannot be of this training.
            quiet: print no warning.
        """
        for path in reversed(self._paths()):
            try:
                file = read_tensors(path, "checkpoint")
                if file.metadata.get("fingerprint") != self._fingerprint:
                    raise StageformerError(f"{path}: belongs to another training")
                progress = Progress.from_dict(file.metadata.get("progress"))
                if path != self._path(progress):
                    raise ValueError(f"it holds update {progress.update}")
                fits(progress, file.tensors)
            except (StageformerError, ValueError) as error:
                reason = str(error) if isinstance(error, StageformerError) else f"{path}: {error}"
                if not quiet:
                    warn(f"checkpoint skipped: {reason}; trying the one before it")
                continue
            # Copied, so that the file can be replaced while its numbers are in use.
            return progress, {name: tensor.clone() for name, tensor in file.tensors.items()}
        return None

    def due(self) -> bool:
        """Whether one more can be written within :data:`LARGEST_SHARE` of the time. The first shows what one takes."""
        elapsed = time.perf_counter() - self._started
        return self._writing + self._last <= LARGEST_SHARE * elapsed

    def write(self, progress: Progress, tensors: dict[str, Tensor]) -> Path:
        """Write a checkpoint, and remove those that are older than the one before it.

        Raises:
            StageformerError: the disk is full, or the folder is not to be written. The checkpoints before this one are
                untouched.
        """
        started = time.perf_counter()
        path = self._path(progress)
        metadata = {"fingerprint": self._fingerprint, "progress": progress.to_dict()}
        with _naming_scratch():
            write_tensors(path, "checkpoint", tensors, metadata)
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)
        self._last = time.perf_counter() - started
        self._writing += self._last
        return path

    def last_path(self) -> Path | None:
        """Return the file of the newest checkpoint, or None if there is none."""
        return next(reversed(self._paths()), None)

    def remove(self) -> None:
        """Remove all of them: the training is done. One that an equal training is writing at this moment stays."""
        for path in self._paths():
            path.unlink(missing_ok=True)
        remove_left_over(self.folder)
        for folder in (self.folder, self.folder.parent):
            with contextlib.suppress(OSError):  # not empty, or not there
                folder.rmdir()

    def _path(self, progress: Progress) -> Path:
        return self.folder / f"update-{progress.update:09d}.pt"

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("update-*.pt"))


_REMEDY = "name a folder for checkpoints in the environment variable STAGEFORMER_SCRATCH"


@contextmanager
def _naming_scratch() -> Iterator[None]:
    """Say in a message of the block how to keep checkpoints elsewhere."""
    try:
        yield
    except StageformerError as error:
        raise StageformerError(f"{error}; {_REMEDY}") from None


class Interruption:
    """Whether somebody asked the training to stop."""

    signal: int = 0
    """the number of the signal, 0 for none"""

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal = number

    def exit(self) -> None:
        """Leave as a process that was ended by the signal: 130 for SIGINT, 143 for SIGTERM.

        A process that learnt of the signal from another one leaves as after SIGTERM.
        """
        sys.exit(128 + (self.signal or signal.SIGTERM))


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM inside the block instead of being ended by them."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption._remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
