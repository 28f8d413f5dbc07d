"""Parameters of the machine: they may change the last bits of a result, never its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Compute:
    """Where and how precisely the arithmetic is done."""

    device: str = param("where to compute", choices=("cpu", "cuda"))
    threads: int = param("threads of one operation on the CPU", minimum=1)
    precision: str = param("fp32, or bf16 autocast", choices=("fp32", "bf16"))
