"""Token embedding plus position (sections 3.4 and 3.5 of the paper)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.config import EmbeddingConfig
from stageformer.model.dropout import Dropout
from stageformer.model.positions import sinusoidal_positions


class Embedding(nn.Module):
    """Look up token vectors, scale them by sqrt(D) and add the encoding of the position."""

    positions: Tensor | None

    def __init__(self, config: EmbeddingConfig, dropout: float = 0.0) -> None:
        """Make the table of vectors (random, standard deviation 1 / sqrt(D)) and of positions."""
        super().__init__()
        self.config = config
        self.scale = math.sqrt(config.d_model) if config.scale else 1.0
        self.weight = nn.Parameter(torch.randn(config.vocabulary_size, config.d_model) * config.d_model**-0.5)
        self.dropout = Dropout(dropout)
        if config.positions == "sinusoidal":
            # Not in the state dict: the table follows from the configuration.
            self.register_buffer("positions", sinusoidal_positions(config.max_length, config.d_model), persistent=False)
        elif config.positions == "learned":
            self.positions = nn.Parameter(torch.randn(config.max_length, config.d_model) * config.d_model**-0.5)
        elif config.positions == "none":
            self.positions = None
        else:
            raise ValueError(f"positions is {config.positions!r}; allowed: sinusoidal, learned, none")

    def forward(self, ids: Tensor, start: int = 0) -> Tensor:
        """Embed ``ids [B, T]``, the first of which stands at position ``start``; returns ``[B, T, D]``.

        Raises:
            ValueError: a position beyond the table.
        """
        end = start + ids.size(1)
        if self.positions is not None and end > self.config.max_length:
            raise ValueError(
                f"a sequence of {end} tokens is longer than the table of positions ({self.config.max_length})"
            )
        embedded = F.embedding(ids, self.weight) * self.scale
        if self.positions is not None:
            embedded = embedded + self.positions[start:end]
        dropped: Tensor = self.dropout(embedded)
        return dropped
