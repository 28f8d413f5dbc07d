"""Parameters of the stage ``encode``."""

from __future__ import annotations

from typing import Literal

from stageformer.params.base import MAX_SEED, MAX_TOKENS, Params, param


class Encode(Params):
    """How the encoder output (the memory) is computed and kept."""

    dtype: Literal["float32", "float16", "bfloat16"] = param("number format on disk")
    batch_tokens: int = param(
        "largest number of source tokens of a batch, padding included", minimum=1, maximum=MAX_TOKENS
    )
    dropout_copies: int = param(
        "additional encodings of each training sentence, each with its own dropout, for train_decoder to choose from; "
        "0: only the one without dropout", minimum=0, maximum=1000,
    )  # fmt: skip
    seed: int = param("seed of the dropout of the copies", minimum=0, maximum=MAX_SEED)
    shard_tokens: int = param(
        "source tokens in one .pt file: bounds the memory that writing needs", minimum=1, maximum=MAX_TOKENS
    )
