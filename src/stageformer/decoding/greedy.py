"""Greedy search: always the most probable next token."""

from __future__ import annotations

import math

import torch

from stageformer.decoding.incremental import IncrementalDecoder
from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.next_tokens import NextTokens
from stageformer.decoding.rules import Batch, Constraints, Hypothesis, Rules
from stageformer.model.transformer import Decoder


@torch.inference_mode()
def greedy(
    decoder: Decoder | LanguageModel, batch: Batch, rules: Rules, *, with_scores: bool = True
) -> list[list[Hypothesis]]:
    """Translate a batch, step by step with cached keys and values; a finished sentence leaves the batch.

    Args:
        decoder: in eval mode
        batch: the sources
        rules: lengths and forbidden tokens
        with_scores: False saves the time of the softmax: scores and log-probabilities are NaN then

    Returns:
        For each sentence a list of one translation.
    """
    memory, present = batch.memory, batch.present
    device, sentences = memory.device, memory.size(0)
    constraints = Constraints(rules, decoder, present.sum(1), batch.prefixes)
    next_tokens = NextTokens(decoder, rules, constraints, sentences, 1, normalise=with_scores)
    incremental = IncrementalDecoder(decoder, memory, present)
    tokens = torch.full((sentences, constraints.longest), rules.eos_id, device=device)
    log_probabilities = torch.zeros(sentences, device=device)
    active = torch.arange(sentences, device=device)  # [A]: the sentences still in the batch
    newest = torch.full((sentences, 1), rules.bos_id, device=device)  # [A, 1]
    totals = torch.zeros((sentences, 1), device=device)
    for length in range(1, constraints.longest + 1):
        totals, _, newest = next_tokens.best(incremental.step(newest), totals, length)
        tokens[active, length - 1] = newest[:, 0]
        log_probabilities[active] = totals[:, 0]
        kept = (newest[:, 0] != rules.eos_id).nonzero()[:, 0]
        if len(kept) == 0:
            break
        if len(kept) < len(active):
            active, newest, totals = active[kept], newest[kept], totals[kept]
            incremental.select_sentences(kept)
            constraints.select_sentences(kept)
    if not with_scores:
        log_probabilities.fill_(math.nan)
    lengths = (tokens != rules.eos_id).sum(1).tolist()
    rows = zip(tokens.tolist(), lengths, log_probabilities.tolist(), strict=True)
    return [[Hypothesis(row[:length], total, total)] for row, length, total in rows]
