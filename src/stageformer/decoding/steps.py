"""The steps of a search, one by one, to look at: what the decoder reads, its logits, and which tokens are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stageformer.decoding.rules import Batch, Hypothesis
from stageformer.decoding.search import by_beam, rules_for
from stageformer.model.attention import causal_mask
from stageformer.model.transformer import Transformer
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import Vocabulary

NUM_LOGITS = 10


class Choice(NamedTuple):
    """A token that the search continues a hypothesis with."""

    id: int
    log_probability: float
    """of the hypothesis with this token"""


class Step(NamedTuple):
    """One hypothesis at one step."""

    ids: list[int]
    """what the decoder reads, <bos> first, ``[T]``"""
    mask_shape: tuple[int, ...]
    """of its ``tgt_mask``, ``(T, T)``"""
    logits: list[tuple[int, float]]
    """the ids of the largest logits of the model, and these, by falling logit"""
    choices: list[Choice]
    """none: the search drops this hypothesis"""


@torch.inference_mode()
def search_steps(
    model: Transformer,
    source_ids: Sequence[int],
    vocabulary: Vocabulary,
    params: Translate,
    *,
    beam_size: int | None = None,
    prefix: Sequence[int] = (),
) -> tuple[list[list[Step]], Hypothesis]:
    """Search as `stageformer translate` does, and compute each step a second time for the eye.

    The search itself keeps keys and values, and reads one token a step; here, the decoder reads all tokens so far under
    the causal mask, as the paper writes it.

    Args:
        model: in eval mode, on the CPU
        source_ids: the source, <eos> included
        vocabulary: of the target
        params: of the search
        beam_size: instead of that of the parameters; 1: greedy search
        prefix: ids that the translation begins with

    Returns:
        For each step the hypotheses that the search continues, best first; and the translation that it found.
    """
    memory = model.encoder(torch.tensor([list(source_ids)]))  # [1, S, E]
    present = torch.ones(memory.shape[:2], dtype=torch.bool)
    seen: list[tuple[list[int], list[int], list[float]]] = []

    def watch(parents: Tensor, tokens: Tensor, totals: Tensor) -> None:
        seen.append((parents[0].tolist(), tokens[0].tolist(), totals[0].tolist()))

    search = by_beam(model.decoder, rules_for(vocabulary, params), params, beam_size=beam_size, watch=watch)
    ((found, *_),) = search(Batch(memory, present, [prefix] if prefix else None))
    beam = {0: [vocabulary.bos_id]}
    steps = []
    for parents, tokens, totals in seen:
        continued: dict[int, list[int]] = {}
        choices: dict[int, list[Choice]] = {place: [] for place in beam}
        for place, (parent, token, total) in enumerate(zip(parents, tokens, totals, strict=True)):
            if total > -torch.inf:
                choices[parent].append(Choice(token, total))
                if token != vocabulary.eos_id:
                    continued[place] = [*beam[parent], token]
        steps.append([_step(model, memory, ids, choices[place]) for place, ids in beam.items()])
        beam = continued
    return steps, found


def _step(model: Transformer, memory: Tensor, ids: list[int], choices: list[Choice]) -> Step:
    tgt_mask = causal_mask(len(ids))  # [T, T]
    hidden = model.decoder(torch.tensor([ids]), memory, tgt_mask=tgt_mask)[0, -1]  # [D]
    logits = model.decoder.logits(hidden)  # [V]
    values, best = logits.topk(min(NUM_LOGITS, len(logits)))
    return Step(ids, tuple(tgt_mask.shape), list(zip(best.tolist(), values.tolist(), strict=True)), choices)
