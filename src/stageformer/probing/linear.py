"""Linear probes: multinomial logistic regression on one layer, or on a learned mix of all layers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

PENALTY = 1.0
"""Of the squared weights, as a share of one example: that of scikit-learn's ``LogisticRegression`` with C = 1."""
ITERATIONS = 200
"""At most; L-BFGS stops earlier where nothing changes any more."""


class Probe(NamedTuple):
    """A trained probe."""

    mean: Tensor
    """of the training examples, ``[L, 1, D]``"""
    scale: Tensor
    """their standard deviation, ``[L, 1, D]``"""
    mix: Tensor
    """how much of each layer is read, ``[L]``; they sum to 1"""
    weight: Tensor
    """``[C, D]``"""
    bias: Tensor
    """``[C]``"""

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits ``[N, C]`` of examples ``[L, N, D]``."""
        return _mixed((features - self.mean) / self.scale, self.mix) @ self.weight.t() + self.bias

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Return the share of the examples ``[L, N, D]`` whose most probable class is that of ``labels [N]``."""
        return float((self.logits(features.double()).argmax(1) == labels).double().mean())


def fit(features: Tensor, labels: Tensor, num_classes: int) -> Probe:
    """Train a probe to convergence, from zero: the same examples give the same probe.

    Features are standardised by layer. Of several layers, a scalar mix is learned with the weights: the softmax of a
    number for each layer (Peters et al. 2018, without their gamma, which the weights can express).

    Args:
        features: of the examples, ``[L, N, D]``.
        labels: their classes, ``[N]``.
        num_classes: C.
    """
    features = features.double()
    mean = features.mean(1, keepdim=True)
    scale = features.std(1, keepdim=True, correction=0)
    scale = torch.where(scale > 0, scale, 1.0)
    standardised = (features - mean) / scale
    weight = torch.zeros(num_classes, features.size(-1), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    shares = torch.zeros(len(features), dtype=torch.float64, requires_grad=True)
    trained = [weight, bias, *([shares] if len(features) > 1 else [])]
    optimizer = torch.optim.LBFGS(
        trained, max_iter=ITERATIONS, tolerance_grad=1e-6, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = _mixed(standardised, shares.softmax(0)) @ weight.t() + bias
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss = loss + 0.5 * PENALTY / len(labels) * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Probe(mean, scale, shares.detach().softmax(0), weight.detach(), bias.detach())


def _mixed(features: Tensor, mix: Tensor) -> Tensor:
    return features[0] if len(features) == 1 else torch.einsum("lnd,l->nd", features, mix)
