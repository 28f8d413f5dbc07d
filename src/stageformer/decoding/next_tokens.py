"""The next tokens of many hypotheses at once: their log-probabilities, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.rules import FREE, Constraints, Rules
from stageformer.model.transformer import Decoder

CHUNK_ROWS = 256
"""Hypotheses whose logits over the whole vocabulary are in memory at a time."""
GROUP = 128
"""Tokens of which only the most probable is compared at first."""


class Chunk(NamedTuple):
    """The next tokens of some sentences ``[n]`` of a batch."""

    sentences: slice
    log_probabilities: Tensor
    """``[n, K, V]`` (V rounded up to whole groups); minus infinity: not allowed"""
    forced_ids: Tensor | None
    """``[n]``: the token that a sentence must have, or FREE; None: all are free"""
    forced_log_probabilities: Tensor | None
    """``[n, K]``: of these tokens"""


class NextTokens:
    """From the hidden states of hypotheses to the next tokens that the rules allow.

    Args:
        decoder: its output projection
        rules: the forbidden tokens
        constraints: the tokens that the sentences of the batch must have
        sentences: largest number of sentences of the batch, B
        hypotheses: hypotheses per sentence, K
        normalise: False leaves out the softmax, which is faster: then all log-probabilities are logits. The next tokens
            of one hypothesis have the same order.
    """

    def __init__(
        self,
        decoder: Decoder | LanguageModel,
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
        self._logits = self._weight.new_full((self._sentences * hypotheses, vocabulary), -math.inf)
        self._log_probabilities = torch.empty_like(self._logits) if normalise else None

    def chunks(self, hidden: Tensor, length: int) -> Iterator[Chunk]:
        """Yield the sentences of a batch chunk by chunk; a chunk is gone when the next one is asked for.

        Args:
            hidden: the hidden states at the newest tokens, ``[B, K, D]``
            length: tokens of a hypothesis with the next one
        """
        forced_ids, must_continue = self._constraints.forced_ids(length), self._constraints.must_continue(length)
        for start in range(0, hidden.size(0), self._sentences):
            part = slice(start, start + self._sentences)
            log_probabilities = self._log_probabilities_after(hidden[part])
            forced = of_forced = None
            if forced_ids is not None:
                forced = forced_ids[part]
                index = forced.clamp(min=0)[:, None, None].expand(-1, log_probabilities.size(1), 1)  # [n, K, 1]
                of_forced = log_probabilities.gather(2, index)[:, :, 0]
            log_probabilities[:, :, self._forbidden] = -math.inf
            if must_continue is not None:
                log_probabilities[:, :, self._eos_id].masked_fill_(must_continue[part, None], -math.inf)
            yield Chunk(part, log_probabilities, forced, of_forced)

    def _log_probabilities_after(self, hidden: Tensor) -> Tensor:
        """Return the log-probabilities ``[n, K, V]`` of the next token after the hidden states ``[n, K, D]``."""
        rows = hidden.flatten(0, 1)  # [n * K, D]
        logits = self._logits[: len(rows)]
        torch.mm(rows, self._weight.t(), out=logits[:, : self._weight.size(0)])
        if self._log_probabilities is None:
            return logits.view(*hidden.shape[:2], -1)
        log_probabilities = torch.log_softmax(logits, -1, out=self._log_probabilities[: len(rows)])
        return log_probabilities.view(*hidden.shape[:2], -1)

    def best(self, hidden: Tensor, totals: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the K most probable continuations of the hypotheses of each sentence.

        Args:
            hidden: the hidden states at the newest tokens, ``[B, K, D]``
            totals: log-probabilities of the hypotheses so far, ``[B, K]``; minus infinity: no hypothesis
            length: tokens of a hypothesis with the next one

        Returns:
            ``[B, K]`` each: log-probabilities with the next token, in falling order, minus infinity where fewer than K
            are allowed; the hypotheses that are continued, as indices into K; the ids of the next tokens.
        """
        best_of_chunks = []
        for chunk in self.chunks(hidden, length):
            before = totals[chunk.sentences]
            best = _best(chunk.log_probabilities, before)
            if chunk.forced_ids is not None and chunk.forced_log_probabilities is not None:
                values, parents = (before + chunk.forced_log_probabilities).sort(dim=1, descending=True, stable=True)
                ids = chunk.forced_ids[:, None].expand_as(parents)
                best = [torch.where(ids == FREE, *pair) for pair in zip(best, (values, parents, ids), strict=True)]
            best_of_chunks.append(best)
        values, parents, ids = (torch.cat(parts) for parts in zip(*best_of_chunks, strict=True))
        # Where fewer than K are allowed, the rest are any tokens, even those beyond the vocabulary.
        return values, parents, ids.clamp(max=self._weight.size(0) - 1)


def _best(log_probabilities: Tensor, totals: Tensor) -> list[Tensor]:
    """Return values, parents and ids of the K best sums of ``log_probabilities [n, K, V]`` and ``totals [n, K]``.

    The K best of all are in the K groups of tokens with the largest maxima. Maxima are found many times faster than a
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
