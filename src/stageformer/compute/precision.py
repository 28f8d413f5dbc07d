"""How a piece of work is computed: in which precision, with which random numbers, by compiled layers or plain ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stageformer.errors import StageformerError
from stageformer.kernels.draws import draw_from
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.params.compute import Compute


@contextmanager
def random_draws(seed: int, compute: Compute) -> Iterator[None]:
    """Let this thread draw the numbers of dropout from a seed inside the block."""
    if compute.device == "cuda" or compute.compile:  # torch's own dropout, and no other thread draws at the same time
        torch.manual_seed(seed)
    with draw_from(torch.Generator().manual_seed(seed)):
        yield


def autocast(compute: Compute) -> torch.autocast:
    """Return the context in which products are computed in the precision that ``compute`` asks for."""
    return torch.autocast(compute.device, dtype=torch.bfloat16, enabled=compute.precision == "bf16")


def compile_layers(model: nn.Module, compute: Compute) -> None:
    """Let ``torch.compile`` translate each layer of ``model`` when it is first used, for batches of any shape.

    Raises:
        StageformerError: on the CPU, there is no C++ compiler.
    """
    compilers = [os.environ.get("CXX", ""), "g++", "clang++", "c++"]
    if compute.device == "cpu" and not any(name and shutil.which(name) for name in compilers):
        raise StageformerError(
            "compute.compile is true, but there is no C++ compiler here; install g++, or set it to false"
        )
    for module in model.modules():
        if isinstance(module, EncoderLayer | DecoderLayer):
            module.compile(dynamic=True)
