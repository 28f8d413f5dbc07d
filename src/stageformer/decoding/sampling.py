"""Sampling: each next token is drawn by its probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.sentences import Ints
from stageformer.decoding.incremental import IncrementalDecoder
from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.next_tokens import NextTokens
from stageformer.decoding.rules import FREE, Batch, Constraints, Hypothesis, Rules
from stageformer.model.transformer import Decoder


@dataclass(frozen=True)
class Sampling:
    """How translations are drawn; see :func:`sample`."""

    seed: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


@torch.inference_mode()
def sample(
    decoder: Decoder | LanguageModel,
    batch: Batch,
    rules: Rules,
    *,
    seed: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    samples: int = 1,
) -> list[list[Hypothesis]]:
    """Translate a batch, drawing each next token by its probability.

    What a sentence draws follows from the seed and from its number in the corpus alone: neither the batches nor their
    order matter.

    Args:
        decoder: in eval mode
        batch: the sources
        rules: lengths and forbidden tokens
        seed: another seed gives other translations
        temperature: the logits are divided by it; below 1 the probable becomes more probable
        top_k: only so many most probable tokens are drawn from; 0: all
        top_p: only the fewest most probable tokens that have at least this probability together are drawn from
            (Holtzman et al. 2020); 1: all. With ``top_k``, it acts on what that leaves.
        samples: translations of each sentence

    Returns:
        For each sentence its translations in the order they were drawn. Scores are log-probabilities of the model as it
        is, whatever ``temperature``, ``top_k`` and ``top_p``.

    Raises:
        ValueError: ``temperature`` is not positive, or ``top_p`` is not in (0, 1].
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it must be larger than 0")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must be larger than 0 and at most 1")
    memory, present = (tensor.repeat_interleave(samples, 0) for tensor in (batch.memory, batch.present))
    prefixes = None if batch.prefixes is None else [prefix for prefix in batch.prefixes for _ in range(samples)]
    device, translations = memory.device, memory.size(0)  # B * samples
    constraints = Constraints(rules, decoder, present.sum(1), prefixes)
    next_tokens = NextTokens(decoder, rules, constraints, translations, 1)
    incremental = IncrementalDecoder(decoder, memory, present)
    rows = np.arange(batch.memory.size(0)) if batch.rows is None else batch.rows
    uniform = _uniform(seed, rows, constraints.longest, samples).to(device)  # [B * samples, steps]
    tokens = torch.full((translations, constraints.longest), rules.eos_id, device=device)
    totals = torch.zeros(translations, device=device)
    active = torch.arange(translations, device=device)  # [A]: the translations still in the batch
    newest = torch.full((translations, 1), rules.bos_id, device=device)  # [A, 1]
    for length in range(1, constraints.longest + 1):
        drawn = []
        for chunk in next_tokens.chunks(incremental.step(newest), length):
            part = active[chunk.sentences]
            log_probabilities = chunk.log_probabilities[:, 0]  # [n, V]
            ids = _draw(log_probabilities / temperature, uniform[part, length - 1], top_k, top_p)  # [n]
            of_ids = log_probabilities.gather(1, ids[:, None])[:, 0]
            if chunk.forced_ids is not None and chunk.forced_log_probabilities is not None:
                free = chunk.forced_ids == FREE
                ids = ids.where(free, chunk.forced_ids)
                of_ids = of_ids.where(free, chunk.forced_log_probabilities[:, 0])
            totals[part] += of_ids
            drawn.append(ids)
        newest = torch.cat(drawn)[:, None]
        tokens[active, length - 1] = newest[:, 0]
        kept = (newest[:, 0] != rules.eos_id).nonzero()[:, 0]
        if len(kept) == 0:
            break
        if len(kept) < len(active):
            active, newest = active[kept], newest[kept]
            incremental.select_sentences(kept)
            constraints.select_sentences(kept)
    lengths = (tokens != rules.eos_id).sum(1).tolist()
    columns = zip(tokens.tolist(), lengths, totals.tolist(), strict=True)
    drawn_in_order = [Hypothesis(row[:length], total, total) for row, length, total in columns]
    return [drawn_in_order[first : first + samples] for first in range(0, translations, samples)]


def _draw(logits: Tensor, uniform: Tensor, top_k: int, top_p: float) -> Tensor:
    """Draw from the softmax of ``logits [n, V]`` with the numbers ``uniform [n]`` in [0, 1); returns ids ``[n]``.

    The number is looked up in the cumulative distribution, which is sorted where only the most probable count.
    """
    probabilities = logits.double().softmax(-1)
    ids = None
    if 0 < top_k < logits.size(-1):
        probabilities, ids = probabilities.topk(top_k)
    elif top_p < 1:
        probabilities, ids = probabilities.sort(descending=True, stable=True)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    if top_p < 1:
        last = (cumulative < top_p * total).sum(-1, keepdim=True)  # the one that reaches top_p
        total = cumulative.gather(-1, last.clamp(max=cumulative.size(-1) - 1))
    place = torch.searchsorted(cumulative, uniform[:, None] * total, right=True)
    # The product may be rounded up to the total itself.
    place = place.minimum((cumulative < total).sum(-1, keepdim=True))
    return (place if ids is None else ids.gather(-1, place))[:, 0]


def _uniform(seed: int, rows: Ints, steps: int, samples: int) -> Tensor:
    """Return numbers in [0, 1) for each translation and step, ``[B * samples, steps]``.

    A sentence has a stream of its own; more steps continue it.
    """
    streams = (np.random.Generator(np.random.Philox(key=np.array([seed, row], np.uint64))) for row in rows)
    numbers = np.stack([stream.random((steps, samples)) for stream in streams])  # [B, steps, samples]
    return torch.from_numpy(numbers.swapaxes(1, 2).reshape(-1, steps))
