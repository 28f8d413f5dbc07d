"""Which instructions of the CPU torch computes with: all that it has, or AVX2 alone for the sake of other machines.

Wider vectors add up in another order, so that AVX2 and AVX-512 round differently. torch computes with three libraries,
its own kernels (ATen), MKL and oneDNN, and each of them asks the CPU and takes what is newest.
"""

from __future__ import annotations

import os
import platform

import pyarrow
import torch

from stageformer.errors import StageformerError

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    # STRICT: the same bits wherever the matrices lie in memory.
    "MKL_CBWR": "AVX2,STRICT",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
"""The environment variables that limit the three libraries."""


def use_avx2_alone() -> None:
    """Limit torch to AVX2, in this process and in those that it starts.

    The libraries read the variables at their first operation, not when torch is imported: it is early enough to call
    this before the first operation. On other makes of CPU than Intel's, MKL does not let itself be limited, and
    multiplies matrices by code of its own choice.

    Raises:
        StageformerError: the CPU has no AVX2, or torch has computed with something else already.
    """
    # ATen believes the variable without asking the CPU, and would die of an illegal instruction.
    if pyarrow.runtime_info().detected_simd_level not in ("avx2", "avx512"):
        raise StageformerError(
            f"compute.portable is true, but this CPU ({platform.machine()}) has no AVX2; set it to false"
        )
    os.environ.update(AVX2)
    in_use = torch.backends.cpu.get_cpu_capability()
    if in_use != "AVX2":
        raise StageformerError(
            f"compute.portable is true, but this process has computed with {in_use} already; start another one"
        )
