"""The sentences that a search translates together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stageformer.batching.sentences import Ints


@dataclass(frozen=True)
class Batch:
    """B sources, and how their translations begin."""

    memory: Tensor
    """the encoder output, ``[B, S, D]``"""
    present: Tensor
    """``[B, S]`` boolean, True where there is a source token"""
    prefixes: Sequence[Sequence[int]] | None = None
    """the ids that each translation begins with, without <bos>, ``[B]`` of any lengths; None: nothing is prescribed"""
    rows: Ints | None = None
    """``[B]``: the numbers of the sentences in their corpus, which random draws follow from; None: 0 to B - 1"""
