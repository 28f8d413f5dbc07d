"""Attention masks, by one convention: boolean, True = may attend, broadcastable to ``[B, H, T, S]``."""

from __future__ import annotations

import torch
from torch import Tensor


def padding_mask(present: Tensor) -> Tensor:
    """Let every position attend to the positions that are present, and to no padding.

    Args:
        present: ``[B, S]`` boolean, True where there is a token.

    Returns:
        ``[B, 1, 1, S]``
    """
    return present[:, None, None, :]


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Let each position attend to itself and to earlier ones (section 3.2.3 of the paper).

    Returns:
        ``[T, T]``, True on and under the diagonal.
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()
