"""What a run of a stage took: ``reports/NAME/cost.json``, which differs from run to run and is unknown to DVC."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import psutil

from stageformer.artifacts.files import write_json

NAME = "cost.json"


def write_cost(reports: Path) -> None:
    """Write ``cost.json`` into the folder ``reports`` at the end of a stage."""
    write_json(reports / NAME, cost())


def cost() -> dict[str, Any]:
    """Return what this process has taken so far.

    Returns:
        ``seconds`` since its start, that of Python and the libraries included, and ``peak_memory_mib``, the largest
        resident memory; None where the system does not tell it. Of several processes, this one alone counts, and of a
        training that was killed and resumed, the last part.
    """
    return {"seconds": round(time.time() - psutil.Process().create_time(), 1), "peak_memory_mib": _peak_memory()}


def _peak_memory() -> float | None:
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
