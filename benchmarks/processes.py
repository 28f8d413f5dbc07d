"""Processes of their own for whatever is measured: their time, their peak memory, their noise.

What starts them must not import torch: a new process begins with the memory of the one that started it as its peak.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stageformer.errors import StageformerError

_ALLOCATOR = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Beginnings of the names of variables that would change glibc's defaults."""


@dataclass(frozen=True)
class Finished:
    """What a process left."""

    output: str
    """what it printed"""
    seconds: float
    """from its start to its end"""
    peak_memory_mib: float
    """the most memory that it, or any one process that it started, held at a time"""
    processor_seconds: float
    """of a core, of all these processes together"""


def run(arguments: Sequence[str], threads: int, folder: Path | None = None) -> Finished:
    """Run ``python ARGUMENTS`` to its end, with the allocator as glibc sets it.

    Args:
        arguments: of Python.
        threads: threads of torch, of its matrix library and of the tokenizers.
        folder: where to run; None: here.

    Raises:
        StageformerError: it failed; the message ends with the last of what it said.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_ALLOCATOR)}
    environment |= {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read().decode(errors="replace").strip()[-2000:]
            raise StageformerError(f"python {' '.join(arguments)}: ended with {process.returncode}: {said}")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        processor = usage.ru_utime + usage.ru_stime
        return Finished(output.read().decode(), seconds, usage.ru_maxrss / unit, processor)
