"""Forced decoding: the probability that the model gives to translations from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stageformer.batching.sentences import Ints, Sentences
from stageformer.compute.pool import Pool
from stageformer.decoding.corpus import in_batches
from stageformer.decoding.next_tokens import CHUNK_ROWS
from stageformer.memory.memory import Memory
from stageformer.model.transformer import Decoder

Floats = npt.NDArray[np.float64]


def log_probabilities(
    decoder: Decoder,
    memory: Memory,
    target_ids: Sequence[Sequence[int]],
    batch_tokens: int,
    title: str | None,
    pool: Pool,
) -> Floats:
    """Return the natural logarithm of the probability of each target given its source, ``[sentences]``.

    Args:
        decoder: in eval mode
        memory: of the sources
        target_ids: the ids of the target of each source, from <bos> to <eos>; all but <bos> are predicted
        batch_tokens: largest number of tokens of a batch on either side, padding included
        title: before the progress bar; None: no bar
        pool: scores batches side by side; the number of its workers changes no bit
    """

    @torch.inference_mode()
    def of_batch(rows: Ints) -> list[float]:
        states, present = memory.batch(rows)  # [B, S, E]
        # Any id can be the padding: the causal mask hides it from the tokens before it, and it is not counted.
        targets = Sentences.of(target_ids[row] for row in rows)
        ids, wanted = (tensor.to(states.device) for tensor in targets.padded(pad_id=0))
        hidden = decoder(ids[:, :-1], states, present)  # [B, T - 1, D]
        wanted = wanted[:, 1:]
        of_tokens = torch.zeros(wanted.shape, dtype=torch.float64, device=states.device)
        of_tokens[wanted] = _of_tokens(decoder, hidden[wanted], ids[:, 1:][wanted])
        log_probabilities: list[float] = of_tokens.sum(1).tolist()
        return log_probabilities

    lengths = np.maximum(memory.lengths, [len(ids) - 1 for ids in target_ids])
    return np.array(in_batches(of_batch, lengths, batch_tokens, title, pool), dtype=np.float64)


def _of_tokens(decoder: Decoder, hidden: Tensor, ids: Tensor) -> Tensor:
    """Return the log-probabilities of the tokens ``ids [N]`` after the hidden states ``hidden [N, D]``, ``[N]``."""
    parts = [
        -torch.nn.functional.cross_entropy(decoder.logits(states).float(), tokens, reduction="none")
        for states, tokens in zip(torch.split(hidden, CHUNK_ROWS), torch.split(ids, CHUNK_ROWS), strict=True)
    ]
    return torch.cat(parts).double()


def perplexity(log_probabilities: Floats, target_ids: Sequence[Sequence[int]]) -> float:
    """Return exp of the mean negative log-probability of a token; <eos> counts, <bos> does not."""
    num_tokens = sum(len(ids) - 1 for ids in target_ids)
    return math.exp(-float(log_probabilities.sum()) / num_tokens)
