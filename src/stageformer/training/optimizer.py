"""Adam and its learning rate by update: section 5.3 of the paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from stageformer.kernels import adam as kernel
from stageformer.kernels.choice import accelerated_by
from stageformer.params.training import Training


@accelerated_by(kernel.adam_step)
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
    """Make one step of Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019), in place.

    Args:
        parameters: what is trained; each is changed
        gradients: of the loss, one per parameter
        means: the running mean of each gradient; changed
        squares: the running mean of the square of each gradient; changed
        steps: scalars, the number of steps made so far of each parameter; changed
        rate: the learning rate of this step
        beta1: share of ``means`` that is kept
        beta2: share of ``squares`` that is kept
        epsilon: added to the denominator
        weight_decay: share of each parameter, times the rate, that is taken off
    """
    for parameter, gradient, mean, square, step in zip(parameters, gradients, means, squares, steps, strict=True):
        step.add_(1)
        mean.mul_(beta1).add_((1 - beta1) * gradient)
        square.mul_(beta2).add_((1 - beta2) * gradient**2)
        # Both began at zero: divided by what they have seen so far, they are means.
        unbiased_mean, unbiased_square = mean / (1 - beta1 ** float(step)), square / (1 - beta2 ** float(step))
        parameter.mul_(1 - rate * weight_decay)
        parameter.sub_(rate * unbiased_mean / (unbiased_square.sqrt() + epsilon))


class Adam:
    """Adam with its state, and weight decay only on matrices.

    Args:
        parameters: what is trained.
        training: says the decay of the means, epsilon and the weight decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        """Begin with means of zero."""
        self._training = training
        self.state = {
            parameter: {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in parameters
        }
        """of each parameter: the number of steps, and the running means of the gradient and of its square"""

    def step(self, rate: float) -> None:
        """Change every parameter that has a gradient, at the learning rate ``rate``."""
        trained = [parameter for parameter in self.state if parameter.grad is not None]
        self._step([parameter for parameter in trained if parameter.dim() > 1], rate, self._training.weight_decay)
        self._step([parameter for parameter in trained if parameter.dim() <= 1], rate, 0.0)

    def _step(self, parameters: list[nn.Parameter], rate: float, weight_decay: float) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means, squares, steps = (
            [self.state[parameter][name] for parameter in parameters] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        adam_step(
            parameters, gradients, means, squares, steps,
            rate=rate, beta1=self._training.adam_beta1, beta2=self._training.adam_beta2,
            epsilon=self._training.adam_epsilon, weight_decay=weight_decay,
        )  # fmt: skip


def learning_rate(update: int, training: Training) -> float:
    """Return the learning rate of an update, the first of which is 1.

    It rises linearly to ``training.learning_rate`` over the warm-up. After that it is constant, falls with the inverse
    square root of the update (section 5.3 of the paper), or falls to zero after ``max_updates``: in a line or a half
    cosine.
    """
    peak, warmup = training.learning_rate, training.warmup_updates
    if update <= warmup:
        return peak * update / warmup
    if training.schedule == "constant":
        return peak
    if training.schedule == "inverse_sqrt":
        return peak * math.sqrt(max(warmup, 1) / update)
    left = (training.max_updates - update + 1) / (training.max_updates - warmup)
    if training.schedule == "linear":
        return peak * left
    return peak * 0.5 * (1 - math.cos(math.pi * left))
