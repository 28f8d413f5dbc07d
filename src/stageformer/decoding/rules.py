"""What a translation may look like: how long it may be, and which tokens it never holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.model.decoder import Decoder


class Hypothesis(NamedTuple):
    """A finished translation."""

    ids: list[int]
    """its tokens, without <bos> and <eos>"""
    score: float
    """what the search ranks by: the sum of the log-probabilities of its tokens and <eos>, over the length penalty"""


@dataclass(frozen=True)
class Rules:
    """The special tokens and the limit of the length.

    <pad> and <bos> stand nowhere inside a sentence. <unk> is forbidden as well: it cannot be turned back into text, and
    whatever the model would say second is better than a hole. Forbidden tokens keep their share of the probability:
    scores are those of the model as it is, not of one that was scaled up to the rest.
    """

    bos_id: int
    eos_id: int
    forbidden_ids: tuple[int, ...]
    """never produced: <pad>, <bos>, <unk>"""
    max_length_ratio: float
    max_length_offset: int

    def max_lengths(self, source_lengths: Tensor, decoder: Decoder) -> Tensor:
        """Return the largest number of tokens of each translation, ``[B]``, at least 1; <eos> counts on both sides.

        It is ``max_length_ratio * source length + max_length_offset``, rounded down, and no more than the decoder has
        positions. A hypothesis that reaches it must end there, so that every translation is a whole sentence.
        """
        limit = (source_lengths.double() * self.max_length_ratio + self.max_length_offset).long().clamp(min=1)
        if decoder.embedding.positions is not None:
            limit = limit.clamp(max=decoder.embedding.config.max_length)
        return limit


def penalty(length: Tensor | int, alpha: float) -> Tensor:
    """Return the length penalty of Wu et al. 2016 (equation 14), ``((5 + length) / 6) ** alpha``; <eos> counts."""
    return ((5.0 + torch.as_tensor(length)) / 6.0) ** alpha
