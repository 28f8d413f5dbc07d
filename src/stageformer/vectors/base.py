"""The interface of everything that gives vectors for token strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Found:
    """The vectors of those tokens that a source knows."""

    vectors: Tensor
    """``[found, E]``"""
    rows: list[int]
    """``[found]``: which of the tokens asked for these are, in the order of the source"""
    num_tokens: int
    """how many were asked for"""

    @property
    def coverage(self) -> float:
        """The share of the tokens that the source knows; 1 where none was asked for."""
        return len(self.rows) / self.num_tokens if self.num_tokens else 1.0


class VectorSource(Protocol):
    """Knows vectors of tokens."""

    def vectors(self, tokens: Sequence[str]) -> Found:
        """Return the vectors of those of the ``tokens`` that the source knows.

        Raises:
            StageformerError: the source cannot be read, or does not hold vectors.
        """
