"""Parameters of the stage ``encode``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Encode:
    """How the encoder output (the memory) is computed and kept."""

    dtype: str = param("number format on disk", choices=("float32", "float16", "bfloat16"))
    batch_tokens: int = param("largest number of source tokens of a batch, padding included", minimum=1)
    dropout_copies: int = param("further encodings of each training sentence, every one with dropout of its own, for "
                                "train_decoder to choose from; 0: the one without dropout alone", minimum=0)
    seed: int = param("seed of the dropout of the copies", minimum=0)
    shard_tokens: int = param("source tokens in one .pt file: bounds the memory that writing needs", minimum=1)
