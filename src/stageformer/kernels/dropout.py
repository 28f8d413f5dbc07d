"""Dropout in as few passes over memory as possible."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stageformer.kernels.draws import draw_kept, has_own_draws


def dropout(x: Tensor, rate: float) -> Tensor:
    """Take the place of :func:`stageformer.model.dropout.dropout`: one product with a tensor of factors."""
    if rate == 0.0:
        return x
    return x * _factors(x, rate) if has_own_draws(x) else F.dropout(x, rate)


def add_dropped(x: Tensor, y: Tensor, rate: float) -> Tensor:
    """Take the place of :func:`stageformer.model.dropout.add_dropped`: without a copy of ``y`` in between."""
    if rate == 0.0 or x.dtype != y.dtype or not has_own_draws(y):
        return x + dropout(y, rate)
    return torch.addcmul(x, y, _factors(y, rate))


def _factors(x: Tensor, rate: float) -> Tensor:
    """Return a factor for each element of ``x``: zero, or what keeps the mean."""
    kept, share = draw_kept(x, rate)
    return kept.to(x.dtype).mul_(1 / share)
