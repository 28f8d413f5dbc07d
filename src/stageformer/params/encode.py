"""Parameters of the stage ``encode``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Encode:
    """How the encoder output (the memory) is computed and kept."""

    dtype: str = param("number format on disk", choices=("float32", "float16", "bfloat16"))
    batch_tokens: int = param("largest number of source tokens of a batch, padding included", minimum=1)
    shard_tokens: int = param("source tokens in one .pt file: bounds the memory that writing needs", minimum=1)
