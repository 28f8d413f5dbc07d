"""Positional encodings (section 3.5 of the paper)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal_positions(max_length: int, d_model: int) -> Tensor:
    """Return the table of sines and cosines ``[max_length, D]``.

    ``PE(pos, 2i) = sin(pos / 10000^(2i / D))`` and ``PE(pos, 2i + 1) = cos(pos / 10000^(2i / D))``, computed in double
    precision and rounded once.
    """
    position = torch.arange(max_length, dtype=torch.float64)[:, None]
    rate = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10_000.0) / d_model))
    table = torch.empty(max_length, d_model, dtype=torch.float64)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: d_model // 2])
    return table.float()


def learned_positions(max_length: int, d_model: int, generator: torch.Generator) -> Tensor:
    """Return the random start of a learned table ``[max_length, D]``, of the size of a scaled embedding."""
    table = torch.randn(max_length, d_model, generator=generator)
    return table.mul_(d_model**-0.5)
