"""Beam search with a length penalty (section 6.1 of the paper; Wu et al. 2016, section 7)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stageformer.decoding.continuations import continuations
from stageformer.decoding.rules import Hypothesis, Rules, penalty
from stageformer.model.decoder import Decoder


@torch.inference_mode()
def beam_search(
    decoder: Decoder, memory: Tensor, present: Tensor, rules: Rules, *, beam_size: int, length_penalty: float
) -> list[Hypothesis]:
    """Translate a batch, keeping the best ``beam_size`` hypotheses of each sentence at each step.

    Of all continuations of the hypotheses of a sentence, the most probable are kept. One that ends with <eos> is
    finished and takes its place in the beam with it (as in Sutskever et al. 2014): a beam of 1 is greedy search. A
    sentence leaves the batch when its best finished hypothesis can no longer be beaten: log-probabilities only fall,
    and the penalty is largest at the largest length, so ``log-probability / penalty(max length)`` bounds whatever comes
    of a hypothesis. Stopping there changes no result.

    Args:
        decoder: in eval mode
        memory: the encoder output, ``[B, S, D]``
        present: ``[B, S]`` boolean, True where there is a source token
        rules: lengths and forbidden tokens
        beam_size: K
        length_penalty: alpha of ``((5 + length) / 6) ** alpha``; 0: none

    Returns:
        The best translation of each sentence.
    """
    device, batch = memory.device, memory.size(0)
    max_lengths = rules.max_lengths(present.sum(1), decoder)  # [B]
    steps = int(max_lengths.max())
    best_tokens = torch.full((batch, steps), rules.eos_id, device=device)
    best_scores = torch.full((batch,), -math.inf, device=device)

    # The state of the A sentences still in the batch, with K hypotheses each.
    sentences = torch.arange(batch, device=device)  # [A]
    places = torch.full((batch,), beam_size, device=device)  # [A]: hypotheses that are not finished
    tokens = torch.empty((batch, beam_size, 0), dtype=torch.long, device=device)  # [A, K, T]
    newest = torch.full((batch, beam_size), rules.bos_id, device=device)  # [A, K]
    # All hypotheses start alike; only the first counts, or the beam would hold K copies. Minus infinity: no hypothesis.
    scores = torch.full((batch, beam_size), -math.inf, device=device)  # [A, K]
    scores[:, 0] = 0.0
    cache = decoder.start(memory, present, steps, hypotheses=beam_size)
    rank = torch.arange(beam_size, device=device)  # [K]

    for step in range(steps):
        length = step + 1
        hidden = decoder.step(newest.flatten(), cache)  # [A * K, D]
        must_end = (max_lengths[sentences] == length).repeat_interleave(beam_size)
        log_probabilities, ids = continuations(decoder, hidden, must_end, rules, beam_size)  # [A * K, C]
        candidates = (scores.view(-1, 1) + log_probabilities).view(len(sentences), -1)  # [A, K * C]
        top = candidates.topk(beam_size, dim=1)
        parents = top.indices // ids.size(1)  # [A, K]
        newest = ids.view(len(sentences), -1).gather(1, top.indices)
        scores = top.values.masked_fill(rank >= places[:, None], -math.inf)
        tokens = torch.cat([tokens.gather(1, parents[:, :, None].expand_as(tokens)), newest[:, :, None]], dim=2)

        ended = (newest == rules.eos_id) & scores.isfinite()
        finished = (scores / penalty(length, length_penalty)).masked_fill(~ended, -math.inf)
        finished_score, which = finished.max(1)
        better = (finished_score > best_scores[sentences]).nonzero()[:, 0]
        best_scores[sentences[better]] = finished_score[better]
        best_tokens[sentences[better], :length] = tokens[better, which[better]]
        scores = scores.masked_fill(ended, -math.inf)
        places = places - ended.sum(1)

        bound = scores.max(1).values / penalty(max_lengths[sentences], length_penalty)
        going = (bound > best_scores[sentences]).nonzero()[:, 0]
        if len(going) == 0:
            break
        rows = going[:, None] * beam_size + parents[going]  # [A, K]: indices into the hypotheses of the cache
        cache.select_hypotheses(rows.flatten())
        if len(going) < len(sentences):
            cache.select_sentences(going)
            sentences, places, scores = sentences[going], places[going], scores[going]
            tokens, newest = tokens[going], newest[going]

    lengths = (best_tokens != rules.eos_id).sum(1).tolist()
    found = zip(best_tokens.tolist(), lengths, best_scores.tolist(), strict=True)
    return [Hypothesis(row[:length], score) for row, length, score in found]
