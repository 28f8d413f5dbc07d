"""``torch.compile``, layer by layer."""

from __future__ import annotations

import os
import shutil

from torch import nn

from stageformer.errors import StageformerError
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.params.compute import Compute


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
