"""Parameters of the machine: they may change the last bits of a result, never its meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stageformer.errors import StageformerError
from stageformer.kernels.choice import KERNELS
from stageformer.params.base import param


@dataclass(frozen=True)
class Compute:
    """Where, on how many processors and how precisely the arithmetic is done."""

    device: str = param("where to compute", choices=("cpu", "cuda"))
    threads: int = param("threads of each process on the CPU", minimum=1)
    processes: int = param("processes that train together, each with its own threads or GPU", minimum=1)
    sharded: bool = param("cut weights, gradients and optimizer over the processes (FSDP) instead of copying them")
    micro_batch_tokens: int = param("largest number of tokens on either side that one thread or GPU computes at once",
                                    minimum=1)
    precision: str = param("fp32, or bf16 autocast", choices=("fp32", "bf16"))
    compile: bool = param("translate the model with torch.compile (needs a C++ compiler on the CPU)")
    kernels: str = param("fast, or reference: the readable formulation of each kernel, slower", choices=KERNELS)
    portable: bool = param("use AVX2 code paths alone, so that other x86 machines may give the same bits")

    def on_cpu(self) -> Compute:
        """Return the same without a GPU, for work that is not worth one, or that engines are compared at."""
        return replace(self, device="cpu")

    def __post_init__(self) -> None:
        if self.sharded and self.processes == 1:
            raise StageformerError("sharded is true, but processes is 1; there is nothing to cut the model over")
