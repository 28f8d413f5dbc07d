"""Greedy search: the most probable next token, again and again."""

from __future__ import annotations

import torch
from torch import Tensor

from stageformer.decoding.continuations import continuations
from stageformer.decoding.rules import Hypothesis, Rules
from stageformer.model.decoder import Decoder


@torch.inference_mode()
def greedy(decoder: Decoder, memory: Tensor, present: Tensor, rules: Rules) -> list[Hypothesis]:
    """Translate a batch, step by step with cached keys and values; a finished sentence leaves the batch.

    Args:
        decoder: in eval mode
        memory: the encoder output, ``[B, S, D]``
        present: ``[B, S]`` boolean, True where there is a source token
        rules: lengths and forbidden tokens

    Returns:
        The translation of each sentence; its score is the sum of the log-probabilities.
    """
    device, batch = memory.device, memory.size(0)
    max_lengths = rules.max_lengths(present.sum(1), decoder)  # [B]
    steps = int(max_lengths.max())
    tokens = torch.full((batch, steps), rules.eos_id, device=device)
    scores = torch.zeros(batch, device=device)
    sentences = torch.arange(batch, device=device)  # [A]: the sentences still in the batch
    newest = torch.full((batch,), rules.bos_id, device=device)
    cache = decoder.start(memory, present, steps)
    for step in range(steps):
        hidden = decoder.step(newest, cache)  # [A, D]
        log_probabilities, ids = continuations(decoder, hidden, max_lengths[sentences] == step + 1, rules, 1)
        newest = ids[:, 0]
        scores[sentences] += log_probabilities[:, 0]
        tokens[sentences, step] = newest
        going = (newest != rules.eos_id).nonzero()[:, 0]
        if len(going) == 0:
            break
        if len(going) < len(sentences):
            cache.select_sentences(going)
            cache.select_hypotheses(going)
            sentences, newest = sentences[going], newest[going]
    lengths = (tokens != rules.eos_id).sum(1).tolist()
    rows = zip(tokens.tolist(), lengths, scores.tolist(), strict=True)
    return [Hypothesis(row[:length], score) for row, length, score in rows]
