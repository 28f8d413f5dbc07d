"""The best next tokens of many hypotheses at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stageformer.decoding.rules import Rules
from stageformer.model.decoder import Decoder

CHUNK_ROWS = 1024
"""Scores over the whole vocabulary stand in memory for so many hypotheses at a time."""


def continuations(
    decoder: Decoder, hidden: Tensor, must_end: Tensor, rules: Rules, count: int
) -> tuple[Tensor, Tensor]:
    """Return the most probable next tokens that the rules allow.

    Args:
        decoder: projects to the vocabulary
        hidden: the state after the newest token of each hypothesis, ``[N, D]``
        must_end: boolean ``[N]``, True where nothing but <eos> is allowed
        rules: the forbidden tokens
        count: how many continuations of each hypothesis, K

    Returns:
        Log-probabilities ``[N, K]`` in falling order and ids ``[N, K]``; minus infinity where fewer than K are allowed.
    """
    parts = []
    for rows, ending in zip(torch.split(hidden, CHUNK_ROWS), torch.split(must_end, CHUNK_ROWS), strict=True):
        scores = decoder.project(rows).float()  # [chunk, V]
        total = scores.logsumexp(-1, keepdim=True)
        scores[:, list(rules.forbidden_ids)] = -math.inf
        if bool(ending.any()):
            end_scores = scores[:, rules.eos_id].clone()
            scores.masked_fill_(ending[:, None], -math.inf)
            scores[:, rules.eos_id] = end_scores
        best = scores.topk(min(count, scores.size(-1)), dim=-1)
        parts.append((best.values - total, best.indices))
    return torch.cat([values for values, _ in parts]), torch.cat([ids for _, ids in parts])
