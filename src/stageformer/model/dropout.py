"""Dropout (section 5.4 of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stageformer.kernels.draws import current_generator


class Dropout(nn.Module):
    """Zero each element with probability ``rate`` while training, and scale the rest so that the mean stays.

    On the CPU, torch draws the random numbers of its own dropout one by one on a single thread, which costs a fifth of
    the training time of a small model. Here one draw of 64 bits serves four elements, 16 bits each: the rate is exact
    to 1 / 65536.
    """

    def __init__(self, rate: float) -> None:
        """``rate`` is the probability of zero, from 0 to below 1."""
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of ``x``, of any shape."""
        if not self.training or self.rate == 0.0:
            return x
        if x.device.type != "cpu" or torch.compiler.is_compiling():  # which cannot follow a generator of our own
            return nn.functional.dropout(x, self.rate)
        rest: Tensor = x * self._mask(x)
        return rest

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``x`` plus what is left of ``y``, both of one shape, without a copy of it in between."""
        own = x.device.type == "cpu" and x.dtype == y.dtype and not torch.compiler.is_compiling()
        if not self.training or self.rate == 0.0 or not own:
            rest: Tensor = self(y)
            return x + rest
        return torch.addcmul(x, y, self._mask(y))

    def _mask(self, x: Tensor) -> Tensor:
        """Return a factor for each element of ``x``: zero, or what keeps the mean."""
        draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
        draws.random_(-(2**63), None, generator=current_generator())
        dropped_levels = round(self.rate * 65_536)
        keep: Tensor = draws.view(torch.int16)[: x.numel()].view(x.shape) >= dropped_levels - 32_768
        factor: Tensor = keep.to(x.dtype).mul_(65_536 / (65_536 - dropped_levels))
        return factor
