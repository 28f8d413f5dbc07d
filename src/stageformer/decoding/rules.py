"""What a translation may look like: how it begins, how long it is, and which tokens it never holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from stageformer.batching.sentences import Ints
from stageformer.decoding.language_model import LanguageModel
from stageformer.model.transformer import Decoder

FREE = -1
"""In place of an id: no token is prescribed."""


@dataclass(frozen=True)
class Batch:
    """B sources, and how their translations begin."""

    memory: Tensor
    """``[B, S, E]``"""
    present: Tensor
    """``[B, S]`` boolean, True where there is a source token"""
    prefixes: Sequence[Sequence[int]] | None = None
    """the ids that each translation begins with, without <bos>, ``[B]`` of any lengths; None: nothing is prescribed"""
    rows: Ints | None = None
    """``[B]``: the numbers of the sentences in their corpus, which random draws follow from; None: 0 to B - 1"""


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

    <pad> and <bos> are never inside a sentence. <unk> is forbidden as well: it cannot be turned back into text, and
    the second choice of the model is better than a gap. Forbidden tokens keep their share of the probability: the
    log-probabilities are those of the model as it is, not of one that was scaled up to the rest.
    """

    bos_id: int
    eos_id: int
    forbidden_ids: tuple[int, ...]
    """never produced: <pad>, <bos>, <unk>"""
    max_length_ratio: float
    max_length_offset: int
    min_length_ratio: float = 0.0

    def max_lengths(self, source_lengths: Tensor, decoder: Decoder | LanguageModel | None) -> Tensor:
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


class Constraints:
    """The prefix, the smallest and the largest length of each translation.

    Args:
        rules: the limits of the length
        decoder: its positions limit the length, too
        source_lengths: tokens of each source, <eos> included, ``[B]``
        prefixes: the ids that each translation begins with, ``[B]`` lists of any lengths; None: nothing is prescribed.
            The largest length makes room for it and for <eos>.

    Raises:
        ValueError: a prefix holds <eos>, or has no room in the positions of the decoder.
    """

    def __init__(
        self,
        rules: Rules,
        decoder: Decoder | LanguageModel,
        source_lengths: Tensor,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> None:
        device = source_lengths.device
        self._eos_id = rules.eos_id
        self.max_lengths = rules.max_lengths(source_lengths, decoder)  # [B]
        self._prefixes = torch.empty((len(source_lengths), 0), dtype=torch.long, device=device)  # [B, P]
        if prefixes is not None:
            lengths = torch.tensor([len(prefix) for prefix in prefixes], device=device)
            longest = int(lengths.max())
            if decoder.embedding.positions is not None and longest >= decoder.embedding.config.max_length:
                raise ValueError(f"a prefix has {longest} tokens, of {decoder.embedding.config.max_length} positions")
            if any(rules.eos_id in prefix for prefix in prefixes):
                raise ValueError("a prefix holds <eos>")
            rows = [torch.tensor(prefix, dtype=torch.long) for prefix in prefixes]
            self._prefixes = pad_sequence(rows, batch_first=True, padding_value=FREE).to(device)
            self.max_lengths = self.max_lengths.maximum(lengths + 1)
        self._min_lengths = rules.min_lengths(source_lengths).minimum(self.max_lengths)
        self.longest = int(self.max_lengths.max())
        """the number of steps after which every sentence has ended"""
        self._shortest_max = int(self.max_lengths.min())
        self._longest_min = int(self._min_lengths.max())

    def forced_ids(self, length: int) -> Tensor | None:
        """Return the token that each sentence must have as its ``length``-th, ``[B]``, or FREE; None: all are free."""
        if self._prefixes.size(1) < length < self._shortest_max:
            return None
        in_prefix = length <= self._prefixes.size(1)
        forced = self._prefixes[:, length - 1] if in_prefix else torch.full_like(self.max_lengths, FREE)
        return forced.where(self.max_lengths > length, self._eos_id)

    def must_continue(self, length: int) -> Tensor | None:
        """Return where the ``length``-th token cannot be <eos>, boolean ``[B]``; None: nowhere."""
        return self._min_lengths > length if length < self._longest_min else None

    def select_sentences(self, sentences: Tensor) -> None:
        """Keep the sentences ``[M]`` (indices into B), in that order."""
        self.max_lengths = self.max_lengths[sentences]
        self._min_lengths = self._min_lengths[sentences]
        self._prefixes = self._prefixes[sentences]
