"""Random vectors: every token has one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stageformer.vectors.base import Found


class RandomVectors:
    """Vectors by chance; see :class:`~stageformer.vectors.base.VectorSource`.

    ``normal`` has a standard deviation of 1 / sqrt(E): scaled by sqrt(E), rows are as large as positions. ``xavier`` is
    uniform within sqrt(6 / (tokens + E)) of zero (Glorot and Bengio 2010).

    Args:
        distribution: ``normal`` or ``xavier``
        width: E
        generator: of the draws; each call continues them
    """

    def __init__(self, distribution: str, width: int, generator: torch.Generator) -> None:
        self._distribution = distribution
        self._width = width
        self._generator = generator

    def vectors(self, tokens: Sequence[str]) -> Found:
        """Return a vector for every token."""
        # Drawn for xavier, too: what comes after the vectors then has the same draws under either distribution.
        drawn: Tensor = torch.randn(len(tokens), self._width, generator=self._generator) * self._width**-0.5
        if self._distribution == "xavier":
            torch.nn.init.xavier_uniform_(drawn, generator=self._generator)
        return Found(drawn, list(range(len(tokens))), len(tokens))
