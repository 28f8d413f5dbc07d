"""Several processes that train together: how they start, who this one is, and how they add up what each computed.

A model that no single device holds is cut over the processes. Its tensors are recognised by their ``device_mesh``:
importing their class takes as long as starting half a stage, and few trainings are sharded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from stageformer.console.net import log_of
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute

Item = TypeVar("Item")

SECONDS_TO_FAIL_ALIKE = 5.0
"""A mistake in parameters or data makes all processes fail, within moments of each other."""
LOST = 75
"""The exit code of a process of :func:`launch` that ends because another one has ended."""


@dataclass(frozen=True)
class Processes:
    """The processes of one training, of which this is number ``rank``."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, logs and shows progress."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)

    def add_numbers(self, *numbers: float) -> tuple[float, ...]:
        """Return the sums of numbers over all processes, in double precision."""
        if self.size == 1:
            return numbers
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def from_first(self, text: str) -> str:
        """Return the text that the first process gives; that of the others does not count."""
        told = [text]
        if self.size > 1:
            dist.broadcast_object_list(told, src=0, device=self.device)
        return told[0]

    def wait(self) -> None:
        """Wait until all processes have come here."""
        self.add_numbers(0)

    def evenly(self, items: list[Item]) -> list[tuple[Item, bool]]:
        """Share items out so that each process has equally many; those that only fill up are marked with False."""
        own = [(item, True) for item in items[self.rank :: self.size]]
        missing = -(-len(items) // self.size) - len(own)
        return own + [(items[0], False)] * missing


ALONE = Processes(rank=0, size=1, device=torch.device("cpu"))
"""A training in this process only."""


@contextmanager
def joined(compute: Compute, device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` or :func:`launch` started, if this is one of several.

    They talk through gloo on the CPU and NCCL on GPUs. Those of :func:`launch` are on one machine, and find each other
    by a file, since the store that torch makes otherwise listens on all interfaces and asks nobody who they are.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    rank, store = int(os.environ["RANK"]), os.environ.get(STORE)
    if store is None and rank == 0 and os.environ.get("LOCAL_WORLD_SIZE") != str(size):
        say("warning: " + OPEN.format(address=os.environ.get("MASTER_ADDR"), port=os.environ.get("MASTER_PORT")))
    dist.init_process_group(
        "nccl" if compute.device == "cuda" else "gloo",
        init_method="env://" if store is None else f"file://{store}",
        rank=rank,
        world_size=size,
    )
    try:
        yield Processes(dist.get_rank(), size, device)
    except RuntimeError as error:
        if not _is_of_connection(error):
            raise
        if store is not None:
            log_of(error)
            sys.exit(LOST)  # without a word: launch knows which process ended, and why
        raise StageformerError(
            f"process {rank + 1} of {size} lost the others: one of them has ended, see what it or the launcher says; "
            "run the stage again: it goes on from its last checkpoint"
        ) from error
    finally:
        dist.destroy_process_group()


def _is_of_connection(error: RuntimeError) -> bool:
    """Say whether another process is gone: NCCL and the store have classes for it, gloo names itself in the message."""
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)


OPEN = (
    "the processes are on several machines: {address} listens on port {port} on all of its interfaces, and each "
    "process on a port of its own, without passwords or encryption; let nobody else into this network"
)
STORE = "STAGEFORMER_PROCESSES"
"""The environment variable with the file by which the processes of :func:`launch` find each other."""
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"


def launch(compute: Compute) -> None:
    """Run this very command in ``compute.processes`` processes and exit as they do; return at once in each of them.

    Under ``torchrun``, which says how many processes there are, nothing is started.
    """
    if compute.processes == 1 or "WORLD_SIZE" in os.environ:
        return
    with tempfile.TemporaryDirectory(prefix="stageformer-") as folder:
        sys.exit(_run_all(compute.processes, Path(folder) / "store"))


def _run_all(number: int, store: Path) -> int:
    """Run this command in ``number`` processes that find each other by the file ``store``, and return the exit code."""
    network = {"GLOO_SOCKET_IFNAME": _LOOPBACK, "NCCL_SOCKET_IFNAME": _LOOPBACK}
    common = {"WORLD_SIZE": str(number), "LOCAL_WORLD_SIZE": str(number), STORE: str(store)}
    processes = [
        subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env=network | os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            # What all of them would say is said by the first.
            stderr=None if rank == 0 else subprocess.PIPE,
        )
        for rank in range(number)
    ]

    stopped = []

    def pass_on(signal_number: int, _: FrameType | None) -> None:
        stopped.append(signal_number)
        for process in processes:
            process.send_signal(signal_number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, pass_on)
    failed = _first_to_fail(processes)
    if failed is None:
        return 0
    if not stopped:  # else it did what it was asked to
        _report(processes, failed)
    for process in processes:
        process.kill()
        process.wait()
    return failed.returncode if failed.returncode > 0 else 128 - failed.returncode


def _first_to_fail(processes: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
    """Wait until all have ended well, and return None; or return the one whose failure ends the others.

    One that only lost the others often ends, and is seen, before the one that they all lost.
    """
    lost: subprocess.Popen[bytes] | None = None
    until = float("inf")
    while True:
        codes = [process.poll() for process in processes]
        killed = [process for process, code in zip(processes, codes, strict=True) if code is not None and code < 0]
        failed = [process for process, code in zip(processes, codes, strict=True) if code and code != LOST]
        if killed or failed:
            return (killed or failed)[0]
        if None not in codes or time.monotonic() > until:
            return lost
        if lost is None and LOST in codes:
            lost, until = processes[codes.index(LOST)], time.monotonic() + SECONDS_TO_FAIL_ALIKE
        time.sleep(0.05)


def _report(processes: list[subprocess.Popen[bytes]], failed: subprocess.Popen[bytes]) -> None:
    """Say which process was killed; or print what a failed one said, unless the first fails of the same mistake."""
    first, name = processes[0], f"process {processes.index(failed) + 1} of {len(processes)}"
    again = "run the stage again: it goes on from its last checkpoint"
    if failed.returncode < 0:
        number = -failed.returncode
        kind = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        why = " (for want of memory, or by hand)" if number == signal.SIGKILL else ""
        say(f"error: {name} was ended by {kind}{why}; {again}")
    elif failed.returncode == LOST:
        say(f"error: {name} lost the others, which did not end; is the network interface {_LOOPBACK} up? {again}")
    elif failed is not first and failed.stderr is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(timeout=SECONDS_TO_FAIL_ALIKE)
        if first.returncode in (None, 0, LOST):
            sys.stderr.buffer.write(failed.stderr.read())
            sys.stderr.flush()


def whole(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor that may be cut; all processes must call it."""
    cut: Any = tensor
    return cut.full_tensor() if hasattr(tensor, "device_mesh") else tensor


def spread(tensor: Tensor, like: Tensor) -> Tensor:
    """Return ``tensor`` on the device of ``like``, cut over the processes if ``like`` is and has the same shape."""
    if hasattr(like, "device_mesh") and tensor.shape == like.shape:
        from torch.distributed.tensor import distribute_tensor

        cut: Any = like
        return distribute_tensor(tensor.to(like.device), cut.device_mesh, cut.placements)
    return tensor.to(like.device)


def clip(parameters: list[nn.Parameter], largest: float) -> float:
    """Scale the gradient so that its norm is at most ``largest``; returns what the norm was."""
    norm = nn.utils.clip_grad_norm_(parameters, largest)
    return float(whole(norm))
