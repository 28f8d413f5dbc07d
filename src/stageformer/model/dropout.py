"""Dropout (section 5.4 of the paper)."""

import torch
from torch import Tensor, nn

from stageformer.kernels import dropout as kernels
from stageformer.kernels.choice import accelerated_by
from stageformer.kernels.draws import draw_kept


@accelerated_by(kernels.dropout)
def dropout(x: Tensor, rate: float) -> Tensor:
    """Zero each element of ``x``, of any shape, with probability ``rate``; scale the rest so that the mean stays."""
    if rate == 0.0:
        return x
    kept, share = draw_kept(x, rate)
    return torch.where(kept, x / share, 0.0)


@accelerated_by(kernels.add_dropped)
def add_dropped(x: Tensor, y: Tensor, rate: float) -> Tensor:
    """Return ``x`` plus what dropout leaves of ``y``, both of one shape."""
    return x + dropout(y, rate)


class Dropout(nn.Module):
    """Dropout while training, and nothing after it; ``rate`` is from 0 to below 1."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    @property
    def current_rate(self) -> float:
        """The rate while training, else 0."""
        return self.rate if self.training else 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of ``x``, of any shape."""
        return dropout(x, self.current_rate)
