"""The average of the last checkpoints (section 6.1 of the paper), usually better than the last one alone."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor, nn

from stageformer.building.weights import weights_of
from stageformer.compute.processes import whole


class CheckpointAverage:
    """Keep the trainable weights of the last few checkpoints and average them."""

    def __init__(self, size: int) -> None:
        """``size`` is the number of checkpoints in the average."""
        self.checkpoints: deque[dict[str, Tensor]] = deque(maxlen=size)
        """the weights of each, by name, the oldest first"""

    def add(self, model: nn.Module) -> None:
        """Keep a copy of the weights as they are now."""
        self.checkpoints.append({name: whole(weight).clone() for name, weight in weights_of(model).items()})

    def average(self) -> dict[str, Tensor]:
        """Return the mean of the checkpoints kept, by name of the weight."""
        count = len(self.checkpoints)
        return {
            name: torch.stack([checkpoint[name].double() for checkpoint in self.checkpoints]).mean(0).to(weight.dtype)
            if count > 1
            else weight
            for name, weight in self.checkpoints[-1].items()
        }
