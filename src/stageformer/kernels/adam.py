"""A step of Adam in one pass over the parameters, by torch's fused kernel.

``torch.optim.AdamW(fused=True)`` makes the same step with the same kernel, but making one imports torch's compiler,
which costs every training a second of its start and 75 MiB of memory. So the kernel is called directly while torch has
it under its present, private name, and through torch's public function where it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_KERNEL: Any = getattr(torch, "_fused_adamw_", None)


@torch.no_grad()
def adam_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    steps: Sequence[Tensor],
    *,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """Take the place of :func:`stageformer.training.optimizer.adam_step`: all parameters in one call."""
    if not parameters:
        return
    lists = [list(tensors) for tensors in (parameters, gradients, means, squares)]
    no_largest_squares: list[Tensor] = []
    if _KERNEL is not None:
        torch._foreach_add_(list(steps), 1)
        _KERNEL(
            *lists, no_largest_squares, list(steps), lr=rate, beta1=beta1, beta2=beta2, eps=epsilon,
            weight_decay=weight_decay, amsgrad=False, maximize=False,
        )  # fmt: skip
        return
    from torch.optim.adamw import adamw  # here, since it imports the compiler

    adamw(
        lists[0], lists[1], lists[2], lists[3], no_largest_squares, list(steps), lr=rate, beta1=beta1, beta2=beta2,
        eps=epsilon, weight_decay=weight_decay, amsgrad=False, maximize=False, fused=True,
    )  # fmt: skip
