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

from stageformer.console.output import say
from stageformer.params.compute import Compute

Item = TypeVar("Item")

SECONDS_TO_FAIL_ALIKE = 5.0
"""A mistake in parameters or data makes all processes fail, within moments of each other."""


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
    rank, store = int(os.environ["RANK"]), os.environ.get(_STORE)
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
    finally:
        dist.destroy_process_group()


OPEN = (
    "the processes are on several machines: {address} listens on port {port} on all of its interfaces, and each "
    "process on a port of its own, without passwords or encryption; let nobody else into this network"
)
_STORE = "STAGEFORMER_PROCESSES"
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
    common = {"WORLD_SIZE": str(number), "LOCAL_WORLD_SIZE": str(number), _STORE: str(store)}
    processes = [
        subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env=network | os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            # What all of them would say is said by the first.
            stderr=None if rank == 0 else subprocess.PIPE,
        )
        for rank in range(number)
    ]

    def pass_on(signal_number: int, _: FrameType | None) -> None:
        for process in processes:
            process.send_signal(signal_number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, pass_on)
    return _wait(processes)


def _wait(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all to end, and return 0; when one fails, end the others, which wait for it, and return its code."""
    running = list(processes)
    while running:
        for process in running:
            code = process.poll()
            if code:
                _report(processes, process)
                for other in running:
                    other.kill()
                return code if code > 0 else 128 - code
        running = [process for process in running if process.poll() is None]
        time.sleep(0.05)
    return 0


def _report(processes: list[subprocess.Popen[bytes]], failed: subprocess.Popen[bytes]) -> None:
    """Print what a failed process said, unless the first one, which speaks for itself, fails of the same mistake.

    One that was killed said nothing.
    """
    first = processes[0]
    if failed.returncode == -signal.SIGKILL:
        say(
            f"error: process {processes.index(failed) + 1} of {len(processes)} was killed (for want of memory, or by "
            "hand); run the stage again: it goes on from its last checkpoint"
        )
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        first.wait(timeout=SECONDS_TO_FAIL_ALIKE)
    if not first.returncode and failed.stderr is not None:
        sys.stderr.buffer.write(failed.stderr.read())


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
