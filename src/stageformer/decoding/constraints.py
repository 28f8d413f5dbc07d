"""What each sentence of a batch must say at a step, and where it must not end yet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from stageformer.decoding.rules import Rules
from stageformer.model.transformer import Decoder

FREE = -1
"""Stands where no token is prescribed."""


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
        self, rules: Rules, decoder: Decoder, source_lengths: Tensor, prefixes: Sequence[Sequence[int]] | None = None
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

    def must_go_on(self, length: int) -> Tensor | None:
        """Return where the ``length``-th token cannot be <eos>, boolean ``[B]``; None: nowhere."""
        return self._min_lengths > length if length < self._longest_min else None

    def select_sentences(self, sentences: Tensor) -> None:
        """Keep the sentences ``[M]`` (indices into B), in that order."""
        self.max_lengths = self.max_lengths[sentences]
        self._min_lengths = self._min_lengths[sentences]
        self._prefixes = self._prefixes[sentences]
