"""The bridge: from memory that is not as wide as the decoder, or of several layers, to what the decoder reads.

Each layer's vectors are normalised, since hidden states of one model differ in size from layer to layer and from
coordinate to coordinate. Then they stand side by side, or their mean is taken by learned weights (the scalar mix of
Peters et al. 2018), and a linear map makes D of them.

Shape letters: B batch, S source length, L layers, E width of a vector of one layer, D d_model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.kernels.draws import current_generator, has_own_draws
from stageformer.model.transformer import initialise


@dataclass(frozen=True)
class BridgeConfig:
    """The shape of a bridge, as plain values that are stored beside its weights."""

    width: Annotated[int, "width of a vector of one layer (E)", 1, 1_000_000]
    layers: Annotated[int, "layers side by side in the memory (L)", 1, 10_000]
    d_model: Annotated[int, "width of the decoder (D)", 1, 65_536]
    join: Literal["concatenate", "mix"] = "concatenate"
    noise: Annotated[float, "standard deviation of the noise while training", 0, 100] = 0.0


class Bridge(nn.Module):
    """Layer norm of each layer, noise while training, concatenation or learned mix, linear map."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        # Flat, since weight decay is for matrices.
        self.scale = nn.Parameter(torch.ones(config.layers * config.width))
        self.shift = nn.Parameter(torch.zeros(config.layers * config.width))
        mixes = config.join == "mix"
        self.mix = nn.Parameter(torch.zeros(config.layers)) if mixes else None
        self.linear = nn.Linear(config.width * (1 if mixes else config.layers), config.d_model)
        initialise(self)

    def forward(self, memory: Tensor) -> Tensor:
        """Map memory ``[B, S, L * E]`` to ``[B, S, D]``."""
        shape = (*memory.shape[:-1], self.config.layers, self.config.width)
        x = memory.view(shape)  # [B, S, L, E]
        x = F.layer_norm(x, (self.config.width,)).flatten(-2)  # [B, S, L * E]
        if self.training and self.config.noise:
            x = x + self.config.noise * _normal(x)
        x = x * self.scale + self.shift
        if self.mix is not None:
            x = self.mix.softmax(0) @ x.view(shape)  # [B, S, E]
        found: Tensor = self.linear(x)  # [B, S, D]
        return found


def _normal(x: Tensor) -> Tensor:
    """Draw standard normal numbers of the shape of ``x``, on the CPU from the generator of this piece of work."""
    return torch.randn(x.shape, generator=current_generator()).to(x) if has_own_draws(x) else torch.randn_like(x)


def bridge_between(width: int, layers: int, d_model: int, *, join: str, noise: float) -> nn.Module:
    """Return what the memory of ``layers`` layers, each ``width`` wide, needs, or nothing but the identity."""
    if layers == 1 and width == d_model:
        return nn.Identity()
    return Bridge(BridgeConfig(width, layers, d_model, "mix" if join == "mix" else "concatenate", noise))
