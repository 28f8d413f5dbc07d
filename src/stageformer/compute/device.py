"""Settings of the machine that hold for a whole process."""

from __future__ import annotations

import os

import torch

from stageformer.compute.allocator import keep_freed_memory
from stageformer.compute.instruction_set import use_avx2_alone
from stageformer.errors import StageformerError
from stageformer.kernels.choice import use_kernels
from stageformer.params.compute import Compute


def prepare(compute: Compute) -> torch.device:
    """Set threads, determinism, kernels and the allocator, and return the device to compute on.

    Raises:
        StageformerError: there is no such device here, or no AVX2 for ``portable``.
    """
    if compute.portable:
        use_avx2_alone()
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise StageformerError("compute.device is 'cuda', but torch sees no GPU here; set it to 'cpu'")
    torch.set_num_threads(compute.threads)
    if compute.compile:
        torch.use_deterministic_algorithms(True)
    else:
        # The same without torch's compiler, which takes a second and 75 MiB to import.
        torch.set_deterministic_debug_mode("error")
    # Either also fills every fresh tensor with NaN, in case something reads it before writing: a tenth of the time, for
    # nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    use_kernels(compute.kernels)
    keep_freed_memory()
    if compute.device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # torchrun gives each process a GPU of its own
    return torch.device(compute.device)
