"""What a translation may look like: how long it may be, and which tokens it never holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.model.transformer import Decoder


class Hypothesis(NamedTuple):
    """A finished translation."""

    ids: list[int]
    """its tokens, without <bos> and <eos>"""
    score: float
    """what the search ranks by: ``log_probability``, in a beam search divided by the length penalty"""
    log_probability: float
    """the sum of the natural logarithms of the probabilities of its tokens and <eos>"""


@dataclass(frozen=True)
class Rules:
    """The special tokens and the limits of the length.

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
    min_length_ratio: float = 0.0

    def max_lengths(self, source_lengths: Tensor, decoder: Decoder | None) -> Tensor:
        """Return the largest number of tokens of each translation, ``[B]``, at least 1; <eos> counts on both sides.

        It is ``max_length_ratio * source length + max_length_offset``, rounded down, and no more than the decoder has
        positions (None: no such limit). A hypothesis that reaches it must end there, so that every translation is a
        whole sentence.
        """
        limit = (source_lengths.double() * self.max_length_ratio + self.max_length_offset).long().clamp(min=1)
        if decoder is not None and decoder.embedding.positions is not None:
            limit = limit.clamp(max=decoder.embedding.config.max_length)
        return limit

    def min_lengths(self, source_lengths: Tensor) -> Tensor:
        """Return the smallest number of tokens of each translation, ``[B]``: ``min_length_ratio * source length``.

        It is rounded down; <eos> counts on both sides. Where it is larger than the largest number, that one holds.
        """
        return (source_lengths.double() * self.min_length_ratio).long()


def penalty(length: Tensor | int, alpha: float, normalisation: str = "paper") -> Tensor:
    """Return what the log-probability of a hypothesis of so many tokens (<eos> counts) is divided by.

    Args:
        length: the number of tokens
        alpha: how strong it is; 0: 1 for every length
        normalisation: ``paper`` for ``((5 + length) / 6) ** alpha`` (Wu et al. 2016, equation 14, which section 6.1 of
            the paper refers to); ``length`` for ``length ** alpha``, which with alpha 1 is plain division by the length
    """
    length = torch.as_tensor(length)
    base = (5.0 + length) / 6.0 if normalisation == "paper" else length.float()
    return base**alpha
