"""Vectors by chance: every token has one."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def random_vectors(distribution: str, rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw vectors ``[rows, E]``.

    ``normal`` has a standard deviation of 1 / sqrt(E): scaled by sqrt(E), rows are as large as positions. ``uniform``
    has the same, within sqrt(3 / E) of zero. ``xavier`` is uniform within sqrt(6 / (rows + E)) of zero (Glorot and
    Bengio 2010).

    Args:
        distribution: ``normal``, ``uniform`` or ``xavier``
        rows: number of vectors
        width: E
        generator: of the draws; each call continues them
    """
    # Drawn for the others, too: what comes after the vectors then has the same draws under every distribution.
    drawn: Tensor = torch.randn(rows, width, generator=generator) * width**-0.5
    if distribution == "uniform":
        limit = math.sqrt(3 / width)
        drawn.uniform_(-limit, limit, generator=generator)
    elif distribution == "xavier":
        torch.nn.init.xavier_uniform_(drawn, generator=generator)
    return drawn
