"""Heads in the layout with the fastest matrix products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def split_heads(projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
    """Take the place of :func:`stageformer.model.attention.split_heads`: one copy each way in training, none else."""
    if torch.is_grad_enabled() and projected.requires_grad:
        heads: tuple[Tensor, ...] = _SplitHeads.apply(projected, parts, num_heads)  # type: ignore[no-untyped-call]
        return heads
    return _views(projected, parts, num_heads)


def _views(projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
    """Return views ``[B, H, T, d_k]`` of the ``parts`` that are side by side in ``[B, T, parts * D]``."""
    batch, length, width = projected.shape
    d_k = width // (parts * num_heads)
    return projected.view(batch, length, parts, num_heads, d_k).permute(2, 0, 3, 1, 4).unbind(0)


class _SplitHeads(torch.autograd.Function):
    """Heads that are each in one piece, with one copy each way (autograd's own way needs two)."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
        ctx.shape = projected.shape
        return tuple(part.contiguous() for part in _views(projected, parts, num_heads))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        joined = gradients[0].new_empty(ctx.shape)
        for part, gradient in zip(_views(joined, len(gradients), gradients[0].size(1)), gradients, strict=True):
            part.copy_(gradient)
        return joined, None, None
