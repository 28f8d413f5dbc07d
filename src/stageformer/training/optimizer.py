"""Adam, as section 5.3 of the paper has it.

``torch.optim.AdamW`` makes the same step with the same kernel, but making one imports torch's compiler, which costs
every training a second of its start and 75 MiB of memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from stageformer.params.training import Training


class Adam:
    """Adam (Kingma & Ba 2015; section 5.3 of the paper) with decoupled weight decay on matrices alone.

    Args:
        parameters: what is trained.
        training: says the decay of the averages, epsilon and the weight decay.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], training: Training) -> None:
        """Begin with averages of zero."""
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

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change every parameter that has a gradient, at the learning rate ``rate``."""
        trained = [parameter for parameter in self.state if parameter.grad is not None]
        self._step([parameter for parameter in trained if parameter.dim() > 1], rate, self._training.weight_decay)
        self._step([parameter for parameter in trained if parameter.dim() <= 1], rate, 0.0)

    def _step(self, parameters: list[nn.Parameter], rate: float, weight_decay: float) -> None:
        if not parameters:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        steps, means, squares = (
            [self.state[parameter][name] for parameter in parameters] for name in ("step", "exp_avg", "exp_avg_sq")
        )
        torch._foreach_add_(steps, 1)
        no_largest_squares: list[Tensor] = []
        torch._fused_adamw_(
            list(parameters), gradients, means, squares, no_largest_squares, steps,
            lr=rate, beta1=self._training.adam_beta1, beta2=self._training.adam_beta2, weight_decay=weight_decay,
            eps=self._training.adam_epsilon, amsgrad=False, maximize=False,
        )  # fmt: skip
