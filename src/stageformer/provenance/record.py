"""What a run of a stage leaves beside its reports: the environment that it ran in, and its cost.

Both files are in git beside the reports, but are not declared to DVC, since they differ between runs whose outputs
are the same. ``environment.json`` holds what the outputs may depend on besides inputs, parameters and code, and nothing
else: no name of a machine or user, no time, no path. ``cost.json`` holds seconds and memory; ``stageformer plan`` and
``stageformer sweep --plan`` read what this machine can do from it.

This module does not import torch, and neither do the stages that do not need it.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from stageformer.artifacts.files import write_json
from stageformer.artifacts.reading import read_json

if TYPE_CHECKING:
    from stageformer.params.compute import Compute

ENVIRONMENT = "environment.json"
COST = "cost.json"

PACKAGES = (
    "stageformer", "ctranslate2", "dvclive", "gensim", "keras", "matplotlib", "nltk", "numpy", "pandas", "pyarrow",
    "pyonmttok", "pythainlp", "sacrebleu", "sacremoses", "safetensors", "sentencepiece", "spacy", "stanza",
    "sudachidict_core", "sudachipy", "textblob", "tokenizers", "torch", "transformers",
)  # fmt: skip
"""The packages that compute or write outputs."""

VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CT2_FORCE_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA",
)  # fmt: skip
"""The environment variables that choose among the code paths of torch and CTranslate2."""


def write_record(reports: Path, compute: Compute | None = None, started: float = 0.0) -> None:
    """Write ``environment.json`` and ``cost.json`` at the end of a stage.

    Args:
        reports: the stage's folder of reports.
        compute: the parameters of the machine, in stages that have them.
        started: seconds that Python and the libraries took to start, before any work.
    """
    write_json(reports / ENVIRONMENT, environment(compute))
    write_json(reports / COST, cost() | {"start_seconds": round(started, 1)})


def environment(compute: Compute | None = None) -> dict[str, Any]:
    """Return what could change the bits: this machine, the packages imported so far, and how torch computes."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "cpu": cpu(),
        "versions": {name: _version(name) for name in PACKAGES if name in sys.modules},
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        found["versions"]["torch"] = torch.__version__  # with its build, such as +cpu
        found["instruction_set"] = torch.backends.cpu.get_cpu_capability()
        found["variables"] = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    if compute is not None:
        found["threads"] = compute.threads
        found["processes"] = int(os.environ.get("WORLD_SIZE", "1"))
        found["device"] = torch.cuda.get_device_name() if compute.device == "cuda" else compute.device
    return found


def cost() -> dict[str, Any]:
    """Return what this process has used so far.

    Returns:
        ``seconds`` since its start, with that of Python and the libraries; ``processor_seconds``, those of a core, with
        the processes that it started and that have ended; and ``peak_memory_mib``, the largest resident memory, None
        where the system does not report it. Of several processes that train, only this one counts, and of a training
        that was killed and resumed, the last part.
    """
    times = psutil.Process().cpu_times()
    children = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)  # only Linux has them
    return {
        "seconds": round(seconds_since_start(), 1),
        "processor_seconds": round(times.user + times.system + children, 1),
        "peak_memory_mib": _peak_memory(),
    }


def seconds_since_start() -> float:
    """Return the seconds since this process was started."""
    return time.time() - psutil.Process().create_time()


def read_environments(reports: Path) -> dict[str, Any]:
    """Return what the stages wrote, by stage, from the folder that holds their folders of reports."""
    return {path.parent.name: read_json(path) for path in sorted(reports.glob(f"*/{ENVIRONMENT}"))}


def _version(package: str) -> str | None:
    """Return the version of an installed package, or None for one that is used without being installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cpu() -> str:
    """Return the name of the processor's model; what Python knows of it where the system is not Linux."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _peak_memory() -> float | None:
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
