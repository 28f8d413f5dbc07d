"""The machine: what it is, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

SIZES = (1024, 2048, 4096)
"""Rows and columns of the square matrices."""
SECONDS_A_SIZE = 2.0


def describe() -> dict[str, Any]:
    """Return what a reader of the figures has to know of the machine, with the threads that torch has."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def matrix_limit(precision: str) -> float:
    """Return the best speed of a large matrix product in ``fp32`` or ``bf16``, in GFLOP/s, with torch's threads."""
    best = 0.0
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    for size in SIZES:
        left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
        out = torch.empty_like(left)
        torch.mm(left, right, out=out)
        end = time.perf_counter() + SECONDS_A_SIZE
        while (started := time.perf_counter()) < end:
            torch.mm(left, right, out=out)
            best = max(best, 2 * size**3 / (time.perf_counter() - started) / 1e9)
    return best


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
