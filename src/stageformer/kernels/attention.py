"""Scaled dot-product attention, each size of it computed in the way that is fastest for it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stageformer.kernels.dropout import dropout

LONGEST_IN_PLAIN_PRODUCTS = 128
"""Tokens. On the CPU, plain matrix products are up to twice as fast as torch's fused attention for sentences; the fused
kernel, which never holds all scores at once, is for what is longer."""


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    rate: float = 0.0,
) -> Tensor:
    """Take the place of :func:`stageformer.model.attention.attention`: plain products, or torch's fused kernel.

    The fused kernel of the CPU has no dropout: torch itself would compute plain products, with random numbers that all
    threads share.
    """
    sentences = max(query.size(-2), key.size(-2)) <= LONGEST_IN_PLAIN_PRODUCTS
    if query.device.type == "cpu" and (sentences or rate > 0.0):
        return _plain_products(query, key, value, mask, causal, rate)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate, is_causal=causal)


def _plain_products(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, rate: float
) -> Tensor:
    scores = query.mul(1 / math.sqrt(query.size(-1))) @ key.transpose(-2, -1)  # [B, H, T, S]
    blind = None  # rows that may attend to nothing have no softmax
    if causal:
        length = query.size(-2)
        forbidden = torch.ones(length, length, dtype=torch.bool, device=query.device).triu_(1)
        scores += _bias(forbidden, scores.dtype)
    elif mask is not None:
        blind = ~mask.any(-1, keepdim=True)
        scores += _bias(~(mask | blind), scores.dtype)
    weights = dropout(scores.softmax(-1), rate)
    if blind is not None and blind.any():
        weights = weights.masked_fill(blind, 0.0)
    heads: Tensor = weights @ value
    return heads


def _bias(forbidden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what is added to the scores: minus infinity where it is ``forbidden``, else 0."""
    return torch.zeros_like(forbidden, dtype=dtype).masked_fill_(forbidden, -math.inf)
