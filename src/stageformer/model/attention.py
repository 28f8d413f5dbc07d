"""Multi-head scaled dot-product attention (section 3.2 of the paper), and the masks that it takes.

There is one convention for masks: boolean, True = may attend, broadcastable to ``[B, H, T, S]``.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.kernels import attention as attention_kernels
from stageformer.kernels import heads as head_kernels
from stageformer.kernels.choice import accelerated_by
from stageformer.model.dropout import Dropout, dropout


def padding_mask(present: Tensor) -> Tensor:
    """Hide padding: ``present [B, S]`` is True where there is a token. Returns ``[B, 1, 1, S]``."""
    return present[:, None, None, :]


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Let each position attend to itself and to earlier ones (section 3.2.3): ``[T, T]``, a triangle of True."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def attention_matrices(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False, rate: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute ``softmax(Q K^T / sqrt(d_k)) V`` (equation 1) with every matrix on the way.

    Args:
        query: ``[B, H, T, d_k]``
        key: ``[B, H, S, d_k]``
        value: ``[B, H, S, d_v]``
        mask: boolean, True = may attend, broadcastable to ``[B, H, T, S]``; None: everything
        causal: instead of a mask: each position attends only to itself and to earlier ones; needs T = S
        rate: of dropout on the weights

    Returns:
        The scores and the weights ``[B, H, T, S]``, and the heads ``[B, H, T, d_v]``.
    """
    if causal:
        mask = causal_mask(query.size(-2), query.device)  # [T, T]
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))  # [B, H, T, S]
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)  # [B, H, T, S]
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # a row that may attend to nothing has no softmax: zeros, not NaN
    weights = dropout(weights, rate)
    return scores, weights, weights @ value


@accelerated_by(attention_kernels.attention)
def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False, rate: float = 0.0
) -> Tensor:
    """Return the heads ``[B, H, T, d_v]`` of :func:`attention_matrices`, which describes the arguments."""
    return attention_matrices(query, key, value, mask, causal=causal, rate=rate)[2]


@accelerated_by(head_kernels.split_heads)
def split_heads(projected: Tensor, widths: list[int], num_heads: int) -> tuple[Tensor, ...]:
    """Cut ``[B, T, sum of widths]`` into tensors ``[B, H, T, width / H]``, one for each of the ``widths``."""
    parts = torch.split(projected, widths, -1)
    return tuple(part.reshape(*part.shape[:2], num_heads, -1).transpose(1, 2) for part in parts)


def join_heads(heads: Tensor) -> Tensor:
    """Put heads ``[B, H, T, d_v]`` side by side: ``[B, T, H * d_v]``."""
    return heads.transpose(1, 2).flatten(2)


class AttentionTrace(NamedTuple):
    """Every matrix of one multi-head attention, to look at."""

    query: Tensor  # [B, H, T, d_k]
    key: Tensor  # [B, H, S, d_k]
    value: Tensor  # [B, H, S, d_v]
    scores: Tensor  # [B, H, T, S]: query times key over sqrt(d_k); minus infinity where the mask forbids
    weights: Tensor  # [B, H, T, S]: softmax of the scores; zeros in a row that may attend to nothing
    heads: Tensor  # [B, H, T, d_v]: weights times value
    output: Tensor  # [B, T, D]: the heads side by side, projected


class MultiHeadAttention(nn.Module):
    """Attention of T queries over S keys and values in H heads (section 3.2.2).

    The projections of query, key and value are one matrix (as in ``torch.nn.MultiheadAttention``), so that
    self-attention needs a single product for all three. With ``num_heads=1`` this is the single head of section 3.2.1.
    ``dropout`` is the rate of dropout on the attention weights; ``d_k`` and ``d_v`` are widths in a head (0: D / H).
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0, d_k: int = 0, d_v: int = 0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.widths = [num_heads * (width or d_model // num_heads) for width in (d_k, d_k, d_v)]  # of Q, K and V
        self.in_projection = nn.Linear(d_model, sum(self.widths))  # W^Q, W^K and W^V of all heads
        self.out_projection = nn.Linear(self.widths[2], d_model)  # W^O

    def forward(
        self, query_input: Tensor, key_input: Tensor | None = None, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """Attend.

        Args:
            query_input: ``[B, T, D]``
            key_input: ``[B, S, D]``; None: self-attention, of ``query_input`` to itself
            mask: boolean, True = may attend, broadcastable to ``[B, H, T, S]``
            causal: each position attends only to itself and to earlier ones; not together with ``mask``

        Returns:
            ``[B, T, D]``

        Raises:
            ValueError: both ``mask`` and ``causal`` are given.
        """
        if mask is not None and causal:
            raise ValueError("give attention a mask or causal=True, not both")
        query, key, value = self.project(query_input, key_input)
        heads = attention(query, key, value, mask, causal=causal, rate=self.dropout.current_rate)  # [B, H, T, d_v]
        output: Tensor = self.out_projection(join_heads(heads))  # [B, T, D]
        return output

    @torch.no_grad()
    def trace(
        self, query_input: Tensor, key_input: Tensor | None = None, mask: Tensor | None = None, *, causal: bool = False
    ) -> AttentionTrace:
        """Do what :meth:`forward` does, without dropout, and return every matrix."""
        if mask is not None and causal:
            raise ValueError("give attention a mask or causal=True, not both")
        query, key, value = self.project(query_input, key_input)
        scores, weights, heads = attention_matrices(query, key, value, mask, causal=causal)
        return AttentionTrace(query, key, value, scores, weights, heads, self.out_projection(join_heads(heads)))

    def project(self, query_input: Tensor, key_input: Tensor | None) -> tuple[Tensor, ...]:
        """Return the query ``[B, H, T, d_k]``, the key ``[B, H, S, d_k]`` and the value ``[B, H, S, d_v]``."""
        if key_input is None or key_input is query_input:
            return split_heads(self.in_projection(query_input), self.widths, self.num_heads)
        return self.project_query(query_input), *self.project_key_value(key_input)

    def project_query(self, query_input: Tensor) -> Tensor:
        """Project ``[B, T, D]`` to queries ``[B, H, T, d_k]``."""
        (rows, *_), maps = self.widths, self.in_projection
        return split_heads(F.linear(query_input, maps.weight[:rows], maps.bias[:rows]), [rows], self.num_heads)[0]

    def project_key_value(self, key_input: Tensor) -> tuple[Tensor, ...]:
        """Project ``[B, S, D]`` to keys ``[B, H, S, d_k]`` and values ``[B, H, S, d_v]``."""
        rows, maps = self.widths[0], self.in_projection
        return split_heads(F.linear(key_input, maps.weight[rows:], maps.bias[rows:]), self.widths[1:], self.num_heads)


class SelfAttention(MultiHeadAttention):
    """Attention of a sequence to itself, in a single head unless more are asked for (section 3.2.1)."""

    def __init__(self, d_model: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__(d_model, num_heads, dropout)
