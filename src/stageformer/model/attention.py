"""Multi-head scaled dot-product attention (section 3.2 of the paper)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.dropout import Dropout
from stageformer.model.masks import causal_mask

LONGEST_IN_PLAIN_PRODUCTS = 128
"""Tokens. On the CPU, plain matrix products are up to twice as fast as torch's fused attention for sentences; the fused
kernel, which never holds all scores at once, is for what is longer."""


@dataclass(frozen=True)
class AttentionTrace:
    """Every matrix of one attention operation, for looking at (d_k = D / H)."""

    query: Tensor
    """``[B, H, T, d_k]``"""
    key: Tensor
    """``[B, H, S, d_k]``"""
    value: Tensor
    """``[B, H, S, d_k]``"""
    scores: Tensor
    """``[B, H, T, S]``: query times key over sqrt(d_k); minus infinity where the mask forbids"""
    weights: Tensor
    """``[B, H, T, S]``: softmax of the scores; zeros in a row that may attend to nothing"""
    heads: Tensor
    """``[B, H, T, d_k]``: weights times value"""
    output: Tensor
    """``[B, T, D]``: the heads joined and projected"""


class MultiHeadAttention(nn.Module):
    """Attention of T queries over S keys and values in H heads.

    The projections of query, key and value stand in one matrix (as in ``torch.nn.MultiheadAttention``), so that
    self-attention projects all three with one product. With ``num_heads=1`` this is the single head of section 3.2.1.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        """Make the projections. ``dropout`` acts on the attention weights."""
        super().__init__()
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.in_projection = nn.Linear(d_model, 3 * d_model)
        self.out_projection = nn.Linear(d_model, d_model)

    def forward(
        self, query_input: Tensor, key_input: Tensor, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """Attend.

        Args:
            query_input: ``[B, T, D]``
            key_input: ``[B, S, D]``; the same tensor object as ``query_input`` means self-attention
            mask: boolean, True = may attend, broadcastable to ``[B, H, T, S]``
            causal: each position attends only to itself and earlier ones; not together with ``mask``

        Returns:
            ``[B, T, D]``

        Raises:
            ValueError: both ``mask`` and ``causal`` are given.
        """
        if key_input is query_input:
            query, key, value = self.split_heads(self.in_projection(query_input), 3)
        else:
            query = self.project_query(query_input)
            key, value = self.project_key_value(key_input)
        return self.attend(query, key, value, mask, causal=causal)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """Attend with projected ``query [B, H, T, d_k]``, ``key``, ``value [B, H, S, d_k]``; returns ``[B, T, D]``."""
        _refuse_both(mask, causal)
        if query.device.type == "cpu" and max(query.size(2), key.size(2)) <= LONGEST_IN_PLAIN_PRODUCTS:
            heads = self._plain_products(query, key, value, mask, causal)
        else:
            rate = self.dropout.rate if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate, is_causal=causal)
        output: Tensor = self.out_projection(heads.transpose(1, 2).flatten(2))  # [B, T, D]
        return output

    def _plain_products(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """Do what ``scaled_dot_product_attention`` does; returns ``[B, H, T, d_k]``."""
        scores = query.mul(1 / math.sqrt(query.size(-1))) @ key.transpose(-2, -1)  # [B, H, T, S]
        if causal:
            mask = causal_mask(scores.size(-1), scores.device)[-scores.size(-2) :]
        blind = None
        if mask is not None:
            blind = ~mask.any(-1, keepdim=True)  # rows that may attend to nothing have no softmax
            forbidden = ~(mask | blind)
            scores += torch.zeros_like(forbidden, dtype=scores.dtype).masked_fill_(forbidden, -math.inf)
        weights = self.dropout(scores.softmax(-1))
        if blind is not None and blind.any():
            weights = weights.masked_fill(blind, 0.0)
        heads: Tensor = weights @ value
        return heads

    def project_query(self, query_input: Tensor) -> Tensor:
        """Project ``[B, T, D]`` to queries ``[B, H, T, d_k]``."""
        d_model = query_input.size(-1)
        weight, bias = self.in_projection.weight[:d_model], self.in_projection.bias[:d_model]
        return self.split_heads(F.linear(query_input, weight, bias), 1)[0]

    def project_key_value(self, key_input: Tensor) -> tuple[Tensor, Tensor]:
        """Project ``[B, S, D]`` to keys and values, each ``[B, H, S, d_k]``."""
        d_model = key_input.size(-1)
        weight, bias = self.in_projection.weight[d_model:], self.in_projection.bias[d_model:]
        key, value = self.split_heads(F.linear(key_input, weight, bias), 2)
        return key, value

    def split_heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Cut ``[B, T, parts * D]`` into ``parts`` tensors ``[B, H, T, d_k]``."""
        if torch.is_grad_enabled() and projected.requires_grad:
            heads: tuple[Tensor, ...] = _SplitHeads.apply(projected, parts, self.num_heads)  # type: ignore[no-untyped-call]
            return heads
        return _heads_of(projected, parts, self.num_heads)

    @torch.no_grad()
    def trace(
        self, query_input: Tensor, key_input: Tensor, mask: Tensor | None = None, *, causal: bool = False
    ) -> AttentionTrace:
        """Do what :meth:`forward` does (without dropout), step by step, and keep every matrix."""
        _refuse_both(mask, causal)
        query = self.project_query(query_input)
        key, value = self.project_key_value(key_input)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))  # [B, H, T, S]
        if causal:
            mask = causal_mask(scores.size(-1), scores.device)
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = scores.softmax(-1)
        if mask is not None:
            # A row of minus infinities (nothing to attend to) has no softmax: zeros, as in the fused path.
            weights = weights.masked_fill(~mask, 0.0)
        heads = weights @ value
        output = self.out_projection(heads.transpose(1, 2).flatten(2))
        return AttentionTrace(query, key, value, scores, weights, heads, output)


def _heads_of(projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
    """Return views ``[B, H, T, d_k]`` of the ``parts`` that stand side by side in ``[B, T, parts * D]``."""
    batch, length, width = projected.shape
    d_k = width // (parts * num_heads)
    return projected.view(batch, length, parts, num_heads, d_k).permute(2, 0, 3, 1, 4).unbind(0)


class _SplitHeads(torch.autograd.Function):
    """Heads as matrix products want them, each in one piece, with one copy each way (autograd's own way needs two)."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
        ctx.shape = projected.shape
        return tuple(part.contiguous() for part in _heads_of(projected, parts, num_heads))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        joined = gradients[0].new_empty(ctx.shape)
        for part, gradient in zip(_heads_of(joined, len(gradients), gradients[0].size(1)), gradients, strict=True):
            part.copy_(gradient)
        return joined, None, None


def _refuse_both(mask: Tensor | None, causal: bool) -> None:
    if mask is not None and causal:
        raise ValueError("give attention a mask or causal=True, not both")
