"""Settings of the machine that hold for a whole process: device, threads, determinism, memory allocator."""

from __future__ import annotations

import ctypes
import os
import sys

import torch

from stageformer.compute.instruction_set import (
    compute_gelu_without_onednn,
    keep_compiled_code_apart,
    use_instruction_set,
)
from stageformer.compute.pool import Pool, Serial, Threads
from stageformer.errors import StageformerError
from stageformer.kernels.choice import Kernels, use_kernels
from stageformer.params.compute import Compute


def prepare(compute: Compute) -> torch.device:
    """Set instructions, threads, determinism, kernels and the allocator, and return the device to compute on.

    Raises:
        StageformerError: there is no such device here.
    """
    on_cpu = compute.device == "cpu"
    use_instruction_set(compute.instruction_set, quiet=not on_cpu)
    if compute.instruction_set == "avx2" and on_cpu and compute.precision == "fp32" and not compute.compile:
        compute_gelu_without_onednn()
    if not on_cpu and not torch.cuda.is_available():
        raise StageformerError("compute.device is 'cuda', but torch sees no GPU here; set it to 'cpu'")
    if not on_cpu:
        # Before the first product: without a workspace of its own for each stream, cuBLAS may add in another order each
        # time, and torch then refuses to multiply.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(compute.threads)
    if compute.compile:
        keep_compiled_code_apart(compute.instruction_set)
        torch.use_deterministic_algorithms(True)
    else:
        # The same without torch's compiler, which takes a second and 75 MiB to import.
        torch.set_deterministic_debug_mode("error")
    # Either also fills every fresh tensor with NaN, in case something reads it before writing: a tenth of the time, for
    # nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    use_kernels(compute.kernels)
    keep_freed_memory()
    if not on_cpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # torchrun gives each process a GPU of its own
    return torch.device(compute.device)


def prepare_cpu(instruction_set: str, kernels: Kernels) -> None:
    """Set instructions and kernels of this process for what is computed outside of the stages, without a warning.

    Args:
        instruction_set: as ``compute.instruction_set``
        kernels: as ``compute.kernels``
    """
    use_instruction_set(instruction_set, quiet=True)
    if instruction_set == "avx2":
        compute_gelu_without_onednn()
    use_kernels(kernels)


def make_pool(compute: Compute, pieces: int) -> Pool:
    """Share the threads of ``compute`` out among workers that each compute pieces of work of their own.

    Two threads that share every small matrix product wait for each other at each of them. Two threads with a
    micro-batch each never do. More threads than pieces make each worker use several for its matrix products.

    Args:
        compute: says the device and the threads.
        pieces: the number of pieces that there are to compute at a time: more workers would have nothing to do.
    """
    # A GPU is one worker, and compiled code is not safe to be made by several threads.
    alone = compute.device != "cpu" or compute.compile
    return thread_pool(compute.threads, 1 if alone else pieces)


def thread_pool(threads: int, pieces: int) -> Pool:
    """Share threads of the CPU out among at most ``pieces`` workers; see :func:`make_pool`."""
    workers = max(1, min(threads, pieces))
    threads_each = threads // workers

    def start() -> None:
        torch.set_num_threads(threads_each)  # holds for the calling thread

    start()
    return Threads(workers, start) if workers > 1 else Serial()


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Make glibc's malloc reuse large blocks instead of giving them back to the system at every step.

    By default each large tensor is mapped anew and unmapped when freed, and the kernel clears its pages every time: a
    fifth of the training time of a small model on the CPU. On other systems this does nothing. The arithmetic is the
    same.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent from musl
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST)
        # A thread's own arena holds no large blocks and gives its memory back whenever it is empty.
        mallopt(_M_ARENA_MAX, 1)
