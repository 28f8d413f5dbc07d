"""From the vectors of tokens to those of sentences or of words, as modules.

Shape letters: B batch, S source length, E width of the memory, W the most words of a sentence of the batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stageformer.memory.pooling import pool


class Pooling(nn.Module):
    """One vector for each sentence, without anything to learn; see :func:`~stageformer.memory.pooling.pool`.

    Args:
        how: one of :data:`~stageformer.memory.pooling.HOW`
    """

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, memory: Tensor, present: Tensor) -> Tensor:
        """Pool the memory ``[B, S, E]`` where ``present [B, S]`` is True, to ``[B, E]``."""
        return pool(memory, present, self.how)


class AttentionPooling(nn.Module):
    """One vector for each sentence: a mean with learned weights (Lin et al. 2017, with one query).

    The weights are the softmax of the products with a query, which begins at zero: then this is the mean.

    Args:
        width: E
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(width))

    def weights(self, memory: Tensor, present: Tensor) -> Tensor:
        """Return how much of each token is read, ``[B, S]``: they sum to 1, and are 0 where nothing is present."""
        logits = memory @ self.query / math.sqrt(len(self.query))
        return logits.masked_fill(~present, -torch.inf).softmax(dim=1)

    def forward(self, memory: Tensor, present: Tensor) -> Tensor:
        """Pool the memory ``[B, S, E]`` where ``present [B, S]`` is True, to ``[B, E]``."""
        # What is at padding may be anything, and 0 times infinite is NaN.
        known = memory.masked_fill(~present.unsqueeze(-1), 0)
        return torch.einsum("bs,bse->be", self.weights(known, present), known)


def make_pooling(how: str, width: int) -> nn.Module:
    """Return the module of ``head.pooling``, all but ``none``, for memory of width E."""
    return AttentionPooling(width) if how == "attention" else Pooling(how)


def word_vectors(memory: Tensor, first: Tensor, stop: Tensor, how: str) -> Tensor:
    """Return a vector for each word.

    Args:
        memory: ``[B, S, E]``, finite
        first: the first token of each word, ``[B, W]``
        stop: the one after its last; ``first`` where there is no word, ``[B, W]``
        how: ``first``: the vector of the first token; ``mean``: that of all tokens of the word

    Returns:
        Shape: ``[B, W, E]``, zeros where there is no word.
    """
    place = torch.arange(memory.size(1), device=memory.device)
    if how == "first":
        stop = torch.minimum(stop, first + 1)
    inside = (place >= first.unsqueeze(-1)) & (place < stop.unsqueeze(-1))  # [B, W, S]
    share = inside.to(memory.dtype) / inside.sum(-1, keepdim=True).clamp(min=1)
    return share @ memory
