"""Token embedding and positional encoding (sections 3.4 and 3.5 of the paper)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stageformer.model.config import EmbeddingConfig
from stageformer.model.dropout import Dropout, dropout


def sinusoidal_positions(max_length: int, d_model: int) -> Tensor:
    """Return the table of sines and cosines ``[max_length, D]``.

    ``PE(pos, 2i) = sin(pos / 10000^(2i / D))`` and ``PE(pos, 2i + 1) = cos(pos / 10000^(2i / D))``, computed in double
    precision and rounded once.
    """
    position = torch.arange(max_length, dtype=torch.float64)[:, None]
    rate = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10_000.0) / d_model))
    table = torch.empty(max_length, d_model, dtype=torch.float64)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: d_model // 2])
    return table.float()


def add_positions(x: Tensor, table: Tensor, start: int = 0) -> Tensor:
    """Add to ``x [B, T, D]`` the rows of the ``table [max_length, D]`` from position ``start`` on.

    Raises:
        ValueError: a position beyond the table.
    """
    end = start + x.size(1)
    if end > len(table):
        raise ValueError(f"a sequence of {end} tokens is longer than the table of positions ({len(table)})")
    return x + table[start:end]


class PositionalEncoding(nn.Module):
    """Add sinusoidal positions, of which there are ``max_length``, to vectors of any origin."""

    table: Tensor

    def __init__(self, d_model: int, max_length: int = 512) -> None:
        super().__init__()
        self.register_buffer("table", sinusoidal_positions(max_length, d_model), persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Add to ``x [B, T, D]`` the positions from ``start`` on; returns ``[B, T, D]``."""
        return add_positions(x, self.table, start)


class Embedding(nn.Module):
    """Look up token vectors, scale them by sqrt(D) and add the encoding of the position."""

    positions: Tensor | None

    def __init__(self, config: EmbeddingConfig, dropout: float = 0.0) -> None:
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
        """Embed ``ids [B, T]``, the first of which is at position ``start``; returns ``[B, T, D]``.

        Raises:
            ValueError: a position beyond the table.
        """
        x = F.embedding(ids, self.weight) * self.scale  # [B, T, D]
        if self.positions is not None:
            x = add_positions(x, self.positions, start)
        return dropout(x, self.dropout.current_rate)
