"""Tensors that may be cut over the processes, as those of a sharded model are.

A cut tensor is told by its ``device_mesh``: importing its class takes as long as starting half a stage, and few
trainings are sharded.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def whole(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor that may be cut; all processes must call it."""
    cut: Any = tensor
    return cut.full_tensor() if hasattr(tensor, "device_mesh") else tensor


def spread(tensor: Tensor, like: Tensor) -> Tensor:
    """Return ``tensor`` on the device of ``like``, cut over the processes if ``like`` is and has the same shape."""
    if hasattr(like, "device_mesh") and tensor.shape == like.shape:
        from torch.distributed.tensor import distribute_tensor

        cut: Any = like
        return distribute_tensor(tensor.to(like.device), cut.device_mesh, cut.placements)
    return tensor.to(like.device)


def clip(parameters: list[nn.Parameter], largest: float) -> float:
    """Scale the gradient so that its norm is at most ``largest``; returns what the norm was."""
    norm = nn.utils.clip_grad_norm_(parameters, largest)
    return float(whole(norm))
