"""The interface of everything that gives vectors for words.

A source is one file of this package, with a class like :class:`VectorSource` and a function that opens it::

    def open_source(params, answers: Answers) -> VectorSource

Its name is that of the kind of ``embed.source``, whose parameters, a class of ``params/embed.py``, the function gets.
``random`` alone is no such source: its vectors belong to no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stageformer.artifacts.answers import Asked, Floats
from stageformer.errors import StageformerError


@dataclass(frozen=True)
class Found:
    """The vectors of those words that a source knows."""

    vectors: Tensor
    """``[found, E]``, float32, finite"""
    rows: list[int]
    """``[found]``: which of the words asked for these are, in the order of the source"""
    composed: frozenset[int] = frozenset()
    """which of them the source does not list, but makes of their parts"""


class VectorSource(Protocol):
    """Knows vectors of words."""

    @property
    def name(self) -> str:
        """How messages call it, such as the path of a file."""

    @property
    def knows_every_text(self) -> bool:
        """Whether it has a vector for any text, as a model has, so that other spellings need not be tried."""

    def vectors(self, words: Sequence[str]) -> Found:
        """Return the vectors of those of the ``words``, each of which is there once, that the source knows.

        Raises:
            StageformerError: the source cannot be read, or does not hold vectors.
        """


class VectorService(VectorSource, Protocol):
    """A source that is asked over a network, and whose answers are recorded."""

    @property
    def asked(self) -> Asked:
        """What decides its answers; nobody is asked for it."""


def stacked(name: str, vectors: Sequence[Floats]) -> Tensor:
    """Return vectors of a source, ``[found, E]``; none are ``[0, 0]``.

    Args:
        name: of the source, for the message
        vectors: each ``[E]``

    Raises:
        StageformerError: they are of several widths.
    """
    widths = sorted({len(vector) for vector in vectors})
    if len(widths) > 1:
        raise StageformerError(f"{name}: its vectors have {' and '.join(map(str, widths))} values")
    return torch.from_numpy(np.array(vectors, np.float32).reshape(len(vectors), *widths or [0]))
