"""The next tokens of many hypotheses at once: their log-probabilities, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.decoding.rules import FREE, Constraints, Rules
from stageformer.model.transformer import Decoder

CHUNK_ROWS = 256
"""The scores of the whole vocabulary stand in memory for so many hypotheses at a time."""
GROUP = 128
"""Tokens of which only the most probable is looked at first."""


class Chunk(NamedTuple):
    """What some sentences ``[n]`` of a batch may say next."""

    sentences: slice
    log_probabilities: Tensor
    """``[n, K, V]`` (V rounded up to whole groups); minus infinity: not allowed"""
    forced_ids: Tensor | None
    """``[n]``: what a sentence must say, or FREE; None: all are free"""
    of_forced: Tensor | None
    """``[n, K]``: the log-probabilities of that"""


class NextTokens:
    """From the states of hypotheses to their next tokens, as far as the rules allow them.

    Args:
        decoder: its output projection
        rules: the forbidden tokens
        constraints: what the sentences of the batch must say
        sentences: sentences of the batch at most, B
        hypotheses: hypotheses a sentence, K
        normalise: turn scores into log-probabilities; without, it is faster, and the next tokens of one hypothesis have
            the same order
    """

    def __init__(
        self,
        decoder: Decoder,
        rules: Rules,
        constraints: Constraints,
        sentences: int,
        hypotheses: int,
        *,
        normalise: bool = True,
    ) -> None:
        self._weight = decoder.output_weight  # [V, D]
        self._forbidden = torch.tensor(rules.forbidden_ids, dtype=torch.long, device=self._weight.device)
        self._eos_id = rules.eos_id
        self._constraints = constraints
        self._sentences = min(sentences, max(1, CHUNK_ROWS // hypotheses))
        vocabulary = math.ceil(self._weight.size(0) / GROUP) * GROUP
        # What rounds the vocabulary up to whole groups stays at minus infinity: tokens that are never produced.
        self._scores = self._weight.new_full((self._sentences * hypotheses, vocabulary), -math.inf)
        self._log_probabilities = torch.empty_like(self._scores) if normalise else None

    def chunks(self, hidden: Tensor, length: int) -> Iterator[Chunk]:
        """Yield the sentences of a batch chunk by chunk; a chunk is gone when the next one is asked for.

        Args:
            hidden: the states after the newest tokens, ``[B, K, D]``
            length: tokens of a hypothesis with the next one
        """
        forced_ids, must_go_on = self._constraints.forced_ids(length), self._constraints.must_go_on(length)
        for start in range(0, hidden.size(0), self._sentences):
            part = slice(start, start + self._sentences)
            of_vocabulary = self._project(hidden[part])
            forced = of_forced = None
            if forced_ids is not None:
                forced = forced_ids[part]
                of_forced = of_vocabulary.gather(2, _spread(forced.clamp(min=0), of_vocabulary.size(1)))[:, :, 0]
            of_vocabulary[:, :, self._forbidden] = -math.inf
            if must_go_on is not None:
                of_vocabulary[:, :, self._eos_id].masked_fill_(must_go_on[part, None], -math.inf)
            yield Chunk(part, of_vocabulary, forced, of_forced)

    def _project(self, hidden: Tensor) -> Tensor:
        """Return the log-probabilities ``[n, K, V]`` after the states ``[n, K, D]``."""
        rows = hidden.flatten(0, 1)
        found = self._scores[: len(rows)]
        torch.mm(rows, self._weight.t(), out=found[:, : self._weight.size(0)])
        if self._log_probabilities is not None:
            found = torch.log_softmax(found, -1, out=self._log_probabilities[: len(rows)])
        return found.view(*hidden.shape[:2], -1)

    def best(self, hidden: Tensor, totals: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the K most probable continuations of the hypotheses of each sentence.

        Args:
            hidden: the states after the newest tokens, ``[B, K, D]``
            totals: log-probabilities of the hypotheses so far, ``[B, K]``; minus infinity: no hypothesis
            length: tokens of a hypothesis with the next one

        Returns:
            ``[B, K]`` each: log-probabilities with the next token, in falling order, minus infinity where fewer than K
            are allowed; the hypotheses that are continued, as indices into K; the ids of the next tokens.
        """
        found = []
        for chunk in self.chunks(hidden, length):
            before = totals[chunk.sentences]
            best = _best(chunk.log_probabilities, before)
            if chunk.forced_ids is not None and chunk.of_forced is not None:
                values, parents = (before + chunk.of_forced).sort(dim=1, descending=True, stable=True)
                ids = chunk.forced_ids[:, None].expand_as(parents)
                best = [torch.where(ids == FREE, *pair) for pair in zip(best, (values, parents, ids), strict=True)]
            found.append(best)
        values, parents, ids = (torch.cat(parts) for parts in zip(*found, strict=True))
        # Where fewer than K are allowed, the rest are any tokens, even those beyond the vocabulary.
        return values, parents, ids.clamp(max=self._weight.size(0) - 1)


def _best(log_probabilities: Tensor, totals: Tensor) -> list[Tensor]:
    """Return values, parents and ids of the K best sums of ``log_probabilities [n, K, V]`` and ``totals [n, K]``.

    The K best of all stand in the K groups of tokens with the largest maxima. Maxima are found many times faster than a
    sorted K best, so that only these groups are searched.
    """
    sentences, hypotheses, vocabulary = log_probabilities.shape
    groups = vocabulary // GROUP
    grouped = log_probabilities.view(sentences, hypotheses, groups, GROUP)
    maxima = (grouped.amax(3) + totals[:, :, None]).flatten(1)  # [n, K * groups]
    chosen = maxima.topk(hypotheses, dim=1).indices  # [n, K]: group of a hypothesis, as an index into K * groups
    candidates = grouped.flatten(1, 2).gather(1, chosen[:, :, None].expand(-1, -1, GROUP))
    candidates = candidates + totals.gather(1, chosen // groups)[:, :, None]  # [n, K, GROUP]
    top = candidates.flatten(1).topk(hypotheses, dim=1)
    group = chosen.gather(1, top.indices // GROUP)  # [n, K]
    return [top.values, group // groups, group % groups * GROUP + top.indices % GROUP]


def _spread(ids: Tensor, hypotheses: int) -> Tensor:
    """Return ``ids [n]`` as an index ``[n, K, 1]``."""
    return ids[:, None, None].expand(-1, hypotheses, 1)
