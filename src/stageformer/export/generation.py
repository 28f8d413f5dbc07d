"""The special tokens and the rules of our search, as ``generate`` of ``transformers`` wants to be told of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import GenerationConfig


def special_tokens(*, bos_id: int, eos_id: int, pad_id: int) -> dict[str, int]:
    """Return the settings of special tokens, which the configuration of the model and that of ``generate`` share."""
    return {
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": pad_id,
        "decoder_start_token_id": bos_id,
        # As in our search: a translation that reaches the limit ends there.
        "forced_eos_token_id": eos_id,
    }


def generation_config(special: Mapping[str, int], forbidden_ids: Iterable[int], positions: int) -> GenerationConfig:
    """Return the settings of ``generate``: greedy search, until the table of positions ends."""
    from transformers import GenerationConfig

    return GenerationConfig(**special, suppress_tokens=sorted(forbidden_ids), max_new_tokens=positions)
