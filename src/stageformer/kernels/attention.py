"""Scaled dot-product attention, computed in the way that is fastest for its size."""

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
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False, rate: float = 0.0
) -> Tensor:
    """Take the place of :func:`stageformer.model.attention.attention`: plain products, or torch's fused kernel.

    The fused kernel of the CPU has no dropout: torch itself would compute plain products, with random numbers that all
    threads share.
    """
    short = max(query.size(-2), key.size(-2)) <= LONGEST_IN_PLAIN_PRODUCTS
    if query.device.type != "cpu" or not (short or rate):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate, is_causal=causal)
    if causal:
        length = query.size(-2)
        later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu_(1)
        return _products(query, key, value, _bias(later, query.dtype), rate)
    if mask is None:
        return _products(query, key, value, None, rate)
    blind = ~mask.any(-1, keepdim=True)  # rows that may attend to nothing have no softmax
    heads = _products(query, key, value, _bias(~(mask | blind), query.dtype), rate)
    return heads.masked_fill(blind, 0.0) if blind.any() else heads


def attention_of_hypotheses(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Take the place of :func:`stageformer.decoding.incremental.attention_of_hypotheses`: the bias is simply added."""
    return _products(query, key, value, bias, 0.0)


def attention_of_one(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Take the place of :func:`stageformer.decoding.incremental.attention_of_one`: products and sums of whole tensors.

    That is two to four times as fast as many products of a vector and a small matrix.
    """
    scores = (key * (query[:, :, 0] * (1 / math.sqrt(query.size(-1))))).sum(-1)  # [L, B, H]
    if bias is not None:
        scores += bias
    weights = scores.flatten(1).softmax(0).view(*scores.shape, 1)
    return (weights * value).sum(0)[:, :, None]


def _products(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, rate: float) -> Tensor:
    scores = query.mul(1 / math.sqrt(query.size(-1))) @ key.transpose(-2, -1)  # [B, H, T, S]
    if bias is not None:
        scores += bias
    heads: Tensor = dropout(scores.softmax(-1), rate) @ value
    return heads


def _bias(forbidden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what is added to the scores: minus infinity where it is ``forbidden``, else 0."""
    return torch.zeros_like(forbidden, dtype=dtype).masked_fill_(forbidden, -math.inf)
