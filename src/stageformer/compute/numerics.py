"""How a piece of work is computed: in which precision, and with which random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stageformer.kernels.draws import draw_from
from stageformer.params.compute import Compute


@contextmanager
def random_draws(seed: int, compute: Compute) -> Iterator[None]:
    """Let this thread draw the numbers of dropout from a seed inside the block."""
    if compute.device == "cuda" or compute.compile:  # torch's own dropout, and nobody draws at the same time
        torch.manual_seed(seed)
    with draw_from(torch.Generator().manual_seed(seed)):
        yield


def autocast(compute: Compute) -> torch.autocast:
    """Return the context in which products are computed in the precision that ``compute`` asks for."""
    return torch.autocast(compute.device, dtype=torch.bfloat16, enabled=compute.precision == "bf16")
