"""Start a stage in several processes of this machine, as ``torchrun`` does, but with errors told in one line."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from stageformer.params.compute import Compute

SECONDS_TO_FAIL_ALIKE = 5.0
"""A mistake in parameters or data makes all processes fail, within moments of each other."""


def launch(compute: Compute) -> None:
    """Run this very command in ``compute.processes`` processes and exit as they do; return at once in each of them.

    Under ``torchrun``, which says how many processes there are, nothing is started.
    """
    if compute.processes == 1 or "WORLD_SIZE" in os.environ:
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(compute.processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            # What all of them would say is said by the first.
            stderr=None if rank == 0 else subprocess.PIPE,
        )
        for rank in range(compute.processes)
    ]

    def pass_on(number: int, _: FrameType | None) -> None:
        for process in processes:
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    sys.exit(_wait(processes))


def _wait(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all to end, and return 0; when one fails, end the others, which wait for it, and return its code."""
    running = list(processes)
    while running:
        for process in running:
            code = process.poll()
            if code:
                _tell(process, processes[0])
                for other in running:
                    other.kill()
                return code if code > 0 else 128 - code
        running = [process for process in running if process.poll() is None]
        time.sleep(0.05)
    return 0


def _tell(failed: subprocess.Popen[bytes], first: subprocess.Popen[bytes]) -> None:
    """Print what a failed process said, unless the first one, which speaks for itself, fails of the same mistake."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        first.wait(timeout=SECONDS_TO_FAIL_ALIKE)
    if not first.returncode and failed.stderr is not None:
        sys.stderr.buffer.write(failed.stderr.read())
