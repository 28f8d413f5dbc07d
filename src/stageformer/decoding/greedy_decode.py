"""Greedy search in a dozen lines, to read and to compose by hand.

The searches that the pipeline runs keep keys and values (``greedy.py``, ``beam.py``). Here the decoder reads all that
it has written again at each step, as the paper has it; the ids are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stageformer.model.attention import causal_mask
from stageformer.model.transformer import Decoder


@torch.inference_mode()
def greedy_decode(
    decoder: Decoder, memory: Tensor, memory_present: Tensor | None = None, *, bos_id: int, eos_id: int,
    max_length: int, forbidden_ids: Sequence[int] = (),
) -> list[list[int]]:
    """Write the translation of each sentence, token by token, always the most probable one.

    Args:
        decoder: in eval mode
        memory: ``[B, S, E]``, of an encoder or of a saved file
        memory_present: ``[B, S]`` boolean, True where there is a token; None: everywhere
        bos_id: what every translation begins with
        eos_id: what ends it
        max_length: tokens of a translation at most, <eos> included
        forbidden_ids: never written, such as those of <pad>, <bos> and <unk>

    Returns:
        The ids of each translation, without <bos> and <eos>.
    """
    written = torch.full((len(memory), 1), bos_id)  # [B, 1]
    for _ in range(max_length):
        hidden = decoder(written, memory, memory_present, causal_mask(written.size(1)))  # [B, T, D]
        logits = decoder.logits(hidden[:, -1])  # [B, V]
        logits[:, list(forbidden_ids)] = -torch.inf
        written = torch.cat([written, logits.argmax(-1, keepdim=True)], dim=1)  # [B, T + 1]
        if (written == eos_id).any(1).all():
            break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
