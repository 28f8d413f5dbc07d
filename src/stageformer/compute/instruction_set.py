"""Which instructions of the CPU torch computes with: AVX2, for the same bits on other machines, or all that it has.

Wider vectors add up in another order, so AVX2 and AVX-512 round differently, and each library takes the widest that the
CPU has. Limited to AVX2, AMD's CPUs with and without AVX-512 gave the same bits in every stage: docs/reproducibility.md
says what was measured. MKL, which multiplies matrices, needs no limit there: on CPUs that are not Intel's it chooses
its code by itself, and the same on both. On Intel's it chooses another, and trainings differ in the last bits from
those on AMD's. Its own switch, ``MKL_CBWR``, would give other bits, and is left alone. So is
that of oneDNN, ``ONEDNN_MAX_CPU_ISA``: eight-bit products of CTranslate2 would overflow, and bfloat16 would take a
hundred times as long.
"""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

import pyarrow
import torch

from stageformer.console.output import warn

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "CT2_FORCE_CPU_ISA": "AVX2"}
"""The environment variables that limit torch's own kernels and those of CTranslate2."""

_INDUCTOR_CACHE = "TORCHINDUCTOR_CACHE_DIR"

MEASURED_VENDORS = ("AuthenticAMD",)


def use_instruction_set(name: str, *, quiet: bool = False) -> None:
    """Let torch compute with these instructions, in this process and in those that it starts.

    The libraries read their environment variables at the first operation, not when torch is imported: it is early
    enough to call this before the first operation. Where the machine cannot give the bits of others, one line on the
    standard error says why, and the work continues with what the CPU has.

    Args:
        name: ``avx2``, or ``native`` for what the libraries choose by themselves
        quiet: print no warning
    """
    if name == "native":
        if not quiet and os.environ.get("RANK", "0") == "0":
            warn("compute.instruction_set is native: the last bits may differ from those of other machines")
        return
    obstacle = _obstacle_of_the_cpu()
    if _has_avx2():  # ATen believes the variable without asking the CPU, and would die of an illegal instruction
        os.environ.update(AVX2)
        in_use = torch.backends.cpu.get_cpu_capability()
        if in_use != "AVX2":
            obstacle = f"this process has computed with {in_use} already"
    if obstacle and not quiet and os.environ.get("RANK", "0") == "0":
        warn(
            f"compute.instruction_set is avx2, but {obstacle}: the last bits may differ from those of other machines"
        )


def keep_compiled_code_apart(name: str) -> None:
    """Give torch's compiler a cache of its own for each instruction set.

    It finds compiled code by the source alone, and would run what was compiled for AVX-512 under AVX2 as well.

    Args:
        name: as for :func:`use_instruction_set`
    """
    folder = os.environ.get(_INDUCTOR_CACHE) or f"{tempfile.gettempdir()}/torchinductor_{os.getuid()}"
    if os.path.basename(folder) != name:
        os.environ[_INDUCTOR_CACHE] = os.path.join(folder, name)


def compute_gelu_without_onednn() -> None:
    """Let torch's own kernels compute GELU: of all that is computed in fp32, oneDNN takes it alone, at full width."""
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # a property, as torch writes it


def _has_avx2() -> bool:
    return pyarrow.runtime_info().detected_simd_level in ("avx2", "avx512")


def _obstacle_of_the_cpu() -> str | None:
    """Return why this CPU may give other bits than those that were measured, or None."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"this CPU ({platform.machine()}) is not an x86"
    if not _has_avx2():
        return "this CPU has no AVX2"
    if (vendor := _vendor()) not in MEASURED_VENDORS:
        return f"the same bits were found only on CPUs of {', '.join(MEASURED_VENDORS)}, and this is one of {vendor}"
    return None


def _vendor() -> str:
    """Return the name that an x86 CPU has for its maker."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("vendor_id"):
                return line.partition(":")[2].strip()
    names = platform.processor().replace(",", " ").split()
    return next((name for name in names if name in ("AuthenticAMD", "GenuineIntel")), "an unknown maker")
