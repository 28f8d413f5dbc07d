"""Muon (Jordan et al. 2024): the matrices inside the layers change by orthogonal steps, everything else by Adam.

The gradient of a matrix, averaged over updates, has a few large singular values and many small ones. Its orthogonal
factor has the same directions, all of the same size, so that the rare ones are learnt as fast as the common ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stageformer.building.bridge import Bridge
from stageformer.compute.pool import Pool
from stageformer.compute.processes import spread, whole
from stageformer.kernels import muon as kernel
from stageformer.kernels.choice import accelerated_by
from stageformer.model.attention import MultiHeadAttention
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.params.training import Training
from stageformer.training.optimizer import Adam

STEP_SIZE = 0.2
"""Root mean square of a step at learning rate 1: about that of Adam, so that both take the same rates (Liu et al.
2025, "Muon is scalable for LLM training")."""


@accelerated_by(kernel.orthogonalise)
@torch.no_grad()
def orthogonalise(
    matrices: Sequence[Tensor],
    *,
    iterations: int,
    parallel: Callable[[Callable[[Tensor], Tensor], Iterable[Tensor]], Iterator[Tensor]] = map,
) -> list[Tensor]:
    """Return the orthogonal factor of each matrix, nearly: its singular values all become about 1.

    With the singular value decomposition ``U S V^T`` of a matrix, that is ``U V^T``. The iteration of Newton and Schulz
    needs products alone. It applies a polynomial of fifth degree to every singular value at once, which lifts small
    values fast and leaves large ones between 0.7 and 1.2.

    Args:
        matrices: each ``[rows, columns]``; they are not changed
        iterations: how often the polynomial is applied; each lifts small singular values by a factor of 3.4
        parallel: maps a function over matrices, in order
    """
    return list(parallel(lambda matrix: _orthogonal(matrix, iterations), matrices))


def _orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    linear, cubic, quintic = kernel.POLYNOMIAL
    x: Tensor = matrix / (torch.linalg.vector_norm(matrix) + kernel.EPSILON)  # no singular value above 1
    for _ in range(iterations):
        gram = x @ x.T
        x = linear * x + (cubic * gram + quintic * gram @ gram) @ x
    return x


class Muon:
    """Muon with its state, for the matrices inside the layers, and Adam for everything else.

    Args:
        model: what is trained: all its parameters that require a gradient.
        training: says momentum, number of iterations and weight decay, and what Adam takes.
        pool: computes the orthogonal factors.
    """

    def __init__(self, model: nn.Module, training: Training, pool: Pool) -> None:
        """Begin with a momentum of zero."""
        self._training, self._pool = training, pool
        self._matrices = {weight: rows for weight, rows in matrices_of_layers(model).items() if weight.requires_grad}
        others = (weight for weight in model.parameters() if weight.requires_grad and weight not in self._matrices)
        self._adam = Adam(others, training)
        self.state: dict[nn.Parameter, dict[str, Any]] = {
            weight: {"momentum": torch.zeros_like(weight)} for weight in self._matrices
        } | self._adam.state
        """of each matrix, the running mean of its gradient; of each other parameter, what Adam keeps"""

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change every parameter that has a gradient, at the learning rate ``rate``."""
        self._adam.step(rate)
        trained = [weight for weight in self._matrices if weight.grad is not None]
        directions: list[Tensor] = []
        for weight in trained:
            directions += torch.split(self._direction(weight), self._matrices[weight])
        factors = iter(orthogonalise(directions, iterations=self._training.muon_iterations, parallel=self._pool.map))
        for weight in trained:
            parts = [next(factors) for _ in self._matrices[weight]]
            step = torch.cat([part * (STEP_SIZE * math.sqrt(max(part.shape))) for part in parts])
            weight.mul_(1 - rate * self._training.weight_decay)
            weight.sub_(spread(step, weight), alpha=rate)

    def _direction(self, weight: nn.Parameter) -> Tensor:
        """Return the mean gradient one update ahead (Nesterov), after adding the present gradient to the mean."""
        assert weight.grad is not None
        momentum, kept = self.state[weight]["momentum"], self._training.muon_momentum
        momentum.lerp_(weight.grad, 1 - kept)
        return whole(weight.grad.lerp(momentum, kept))


def matrices_of_layers(model: nn.Module) -> dict[nn.Parameter, list[int]]:
    """Return the matrices of all layers, each with the number of rows of the maps that it consists of.

    Query, key and value are one weight, but three maps.
    """
    layers = [module for module in model.modules() if isinstance(module, EncoderLayer | DecoderLayer | Bridge)]
    in_three = {
        attention.in_projection.weight: attention.widths
        for layer in layers
        for attention in layer.modules()
        if isinstance(attention, MultiHeadAttention)
    }
    return {
        weight: in_three.get(weight, [len(weight)])
        for layer in layers
        for weight in layer.parameters()
        if weight.dim() == 2
    }
