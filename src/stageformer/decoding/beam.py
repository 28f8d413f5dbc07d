"""Beam search with a length penalty (section 6.1 of the paper; Wu et al. 2016, section 7)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from stageformer.decoding.incremental import IncrementalDecoder
from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.next_tokens import NextTokens
from stageformer.decoding.rules import Batch, Constraints, Hypothesis, Rules, penalty
from stageformer.model.transformer import Decoder


@torch.inference_mode()
def beam_search(
    decoder: Decoder | LanguageModel,
    batch: Batch,
    rules: Rules,
    *,
    beam_size: int,
    length_penalty: float,
    length_normalisation: str = "paper",
    early_stopping: bool = False,
    nbest: int = 1,
    watch: Callable[[Tensor, Tensor, Tensor], None] | None = None,
) -> list[list[Hypothesis]]:
    """Translate a batch, keeping the best ``beam_size`` hypotheses of each sentence at each step.

    Of all continuations of the hypotheses of a sentence, the most probable are kept. One that ends with <eos> is
    finished and takes its place in the beam with it (as in Sutskever et al. 2014): a beam of 1 is greedy search. A
    sentence leaves the batch when its best finished hypotheses can no longer be beaten: log-probabilities only fall,
    and the penalty is largest at the largest length, so ``log-probability / penalty(max length)`` bounds whatever comes
    of a hypothesis. Stopping there changes no result.

    Args:
        decoder: in eval mode
        batch: the sources
        rules: lengths and forbidden tokens
        beam_size: K
        length_penalty: alpha of the penalty; 0: none
        length_normalisation: ``paper`` or ``length``, see :func:`~stageformer.decoding.rules.penalty`
        early_stopping: let a sentence leave as soon as ``nbest`` hypotheses have finished, though a longer one could
            still beat them
        nbest: how many translations of each sentence to look for, at most ``beam_size``
        watch: is shown the beam at every step: which hypotheses were continued (indices into K), the next tokens, and
            the log-probabilities with them, minus infinity for none, ``[A, K]`` each

    Returns:
        For each sentence its best translations, by falling score: ``nbest`` of them, or fewer where the rules allow
        fewer.

    Raises:
        ValueError: ``nbest`` is larger than ``beam_size``.
    """
    if nbest > beam_size:
        raise ValueError(f"nbest is {nbest}, but a beam of {beam_size} finds no more than that many")
    memory, present = batch.memory, batch.present
    device, sentences = memory.device, memory.size(0)
    constraints = Constraints(rules, decoder, present.sum(1), batch.prefixes)
    next_tokens = NextTokens(decoder, rules, constraints, sentences, beam_size)
    incremental = IncrementalDecoder(decoder, memory, present, beam_size)
    finished = _Finished(sentences, beam_size, constraints.longest, rules.eos_id, device)
    rank = torch.arange(beam_size, device=device)  # [K]

    # The state of the A sentences still in the batch, with K hypotheses each.
    active = torch.arange(sentences, device=device)  # [A]
    tokens = torch.empty((sentences, beam_size, 0), dtype=torch.long, device=device)  # [A, K, T]
    newest = torch.full((sentences, beam_size), rules.bos_id, device=device)  # [A, K]
    # All hypotheses start alike; only the first counts, or the beam would hold K copies. Minus infinity: no hypothesis.
    totals = torch.full((sentences, beam_size), -math.inf, device=device)  # [A, K]
    totals[:, 0] = 0.0

    for length in range(1, constraints.longest + 1):
        totals, parents, newest = next_tokens.best(incremental.step(newest), totals, length)
        totals.masked_fill_(rank >= beam_size - finished.counts[active, None], -math.inf)
        if watch is not None:
            watch(parents, newest, totals)
        tokens = torch.cat([tokens.gather(1, parents[:, :, None].expand_as(tokens)), newest[:, :, None]], dim=2)

        ended = (newest == rules.eos_id) & totals.isfinite()
        finished.add(active, ended, tokens, totals, totals / penalty(length, length_penalty, length_normalisation))
        totals = totals.masked_fill(ended, -math.inf)

        to_beat = finished.nth_best(active, nbest)  # [A]; minus infinity: fewer than that have finished
        bound = totals.amax(1) / penalty(constraints.max_lengths, length_penalty, length_normalisation)
        kept = ((bound > to_beat) & (to_beat.isinf() | (not early_stopping))).nonzero()[:, 0]
        if len(kept) == 0:
            break
        if len(kept) < len(active):
            active, totals, parents = active[kept], totals[kept], parents[kept]
            tokens, newest = tokens[kept], newest[kept]
            incremental.select_sentences(kept)
            constraints.select_sentences(kept)
        incremental.reorder(parents)
    return finished.best(nbest)


class _Finished:
    """The finished hypotheses of B sentences, at most K of each."""

    def __init__(self, sentences: int, hypotheses: int, longest: int, eos_id: int, device: torch.device) -> None:
        self._eos_id = eos_id
        self.counts = torch.zeros(sentences, dtype=torch.long, device=device)
        """``[B]``: how many there are of each sentence"""
        self._tokens = torch.full((sentences, hypotheses, longest), eos_id, device=device)  # [B, K, T]
        self._scores = torch.full((sentences, hypotheses), -math.inf, device=device)  # [B, K]
        self._totals = self._scores.clone()

    def add(self, sentences: Tensor, ended: Tensor, tokens: Tensor, totals: Tensor, scores: Tensor) -> None:
        """Keep those hypotheses of the sentences ``[A]`` that ``ended [A, K]``.

        Their tokens are ``tokens [A, K, T]``, their log-probabilities ``totals [A, K]``, their ``scores [A, K]``.
        """
        which, hypotheses = ended.nonzero(as_tuple=True)
        places = (self.counts[sentences, None] + ended.cumsum(1) - 1)[which, hypotheses]
        rows = sentences[which]
        self._tokens[rows, places, : tokens.size(2)] = tokens[which, hypotheses]
        self._totals[rows, places] = totals[which, hypotheses]
        self._scores[rows, places] = scores[which, hypotheses]
        self.counts[sentences] += ended.sum(1)

    def nth_best(self, sentences: Tensor, number: int) -> Tensor:
        """Return the ``number``-th best score of each of the sentences ``[A]``; minus infinity: there are fewer."""
        return self._scores[sentences].topk(number, dim=1).values[:, -1]

    def best(self, number: int) -> list[list[Hypothesis]]:
        """Return up to ``number`` hypotheses of each sentence, by falling score."""
        order = self._scores.sort(dim=1, descending=True, stable=True).indices
        lengths = (self._tokens != self._eos_id).sum(2)
        columns = zip(
            self._tokens.tolist(), lengths.tolist(), self._scores.tolist(), self._totals.tolist(), order.tolist(),
            self.counts.tolist(), strict=True,
        )  # fmt: skip
        return [
            [Hypothesis(tokens[k][: lengths[k]], scores[k], totals[k]) for k in best[: min(number, count)]]
            for tokens, lengths, scores, totals, best, count in columns
        ]
