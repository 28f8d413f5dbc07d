"""Heads in the layout with the fastest matrix products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def split_heads(projected: Tensor, widths: list[int], num_heads: int) -> tuple[Tensor, ...]:
    """Take the place of :func:`stageformer.model.attention.split_heads`: one copy each way in training, none else."""
    if torch.is_grad_enabled() and projected.requires_grad:
        heads: tuple[Tensor, ...] = _SplitHeads.apply(projected, widths, num_heads)  # type: ignore[no-untyped-call]
        return heads
    return _views(projected, widths, num_heads)


def _views(projected: Tensor, widths: list[int], num_heads: int) -> tuple[Tensor, ...]:
    """Return views ``[B, H, T, width / H]`` of what lies side by side in ``[B, T, sum of the widths]``."""
    batch, length, _ = projected.shape
    if len(set(widths)) == 1:  # one view of all is faster than one of each
        heads = projected.view(batch, length, len(widths), num_heads, widths[0] // num_heads)
        return heads.permute(2, 0, 3, 1, 4).unbind(0)
    parts = torch.split(projected, widths, -1)
    return tuple(part.view(batch, length, num_heads, part.size(-1) // num_heads).transpose(1, 2) for part in parts)


class _SplitHeads(torch.autograd.Function):
    """Heads that are each in one piece, with one copy each way (autograd's own way needs two)."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, widths: list[int], num_heads: int) -> tuple[Tensor, ...]:
        ctx.shape, ctx.widths = projected.shape, widths
        return tuple(part.contiguous() for part in _views(projected, widths, num_heads))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        joined = gradients[0].new_empty(ctx.shape)
        for part, gradient in zip(_views(joined, ctx.widths, gradients[0].size(1)), gradients, strict=True):
            part.copy_(gradient)
        return joined, None, None
