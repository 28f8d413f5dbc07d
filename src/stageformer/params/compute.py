"""Parameters of the machine: they may change the last bits of a result, never its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from stageformer.kernels.choice import Kernels
from stageformer.params.base import MAX_TOKENS, Needs, Params, param


class Compute(Params):
    """Where, on how many processors and how precisely the arithmetic is done."""

    device: Literal["cpu", "cuda"] = param("where to compute")
    engine: Annotated[Literal["local", "ray"], Needs({"ray": ("ray",)})] = param(
        "local: ingest, tokenize and vocab use processes of this machine; ray: workers of Ray, on the cluster that "
        "RAY_ADDRESS names, or on this machine"
    )
    threads: int = param(
        "threads of each process on the CPU; in ingest, tokenize and vocab: worker processes", minimum=1, maximum=1024
    )
    processes: int = param("processes that train together, each with its own threads or GPU", minimum=1, maximum=4096)
    sharded: bool = param("split weights, gradients and optimizer between the processes (FSDP), without copies")
    micro_batch_tokens: int = param(
        "largest number of tokens on either side that one thread or GPU computes at once", minimum=1, maximum=MAX_TOKENS
    )
    precision: Literal["fp32", "bf16"] = param("fp32, or bf16 autocast")
    compile: bool = param("compile the model with torch.compile (needs a C++ compiler on the CPU)")
    kernels: Kernels = param("fast: the kernels; reference: their readable formulations, slower")
    instruction_set: Literal["avx2", "native"] = param(
        "avx2: the same bits on other x86 machines; native: the widest that this CPU has"
    )

    def on_cpu(self) -> Compute:
        """Return the same without a GPU, for work that is not worth one, or that engines are compared at."""
        return self.model_copy(update={"device": "cpu"})

    @model_validator(mode="after")
    def _needs_processes_to_shard(self) -> Self:
        if self.sharded and self.processes == 1:
            raise ValueError("sharded is true, but processes is 1; there is only one process to hold the model")
        return self
