"""Parameters of the stage ``encode``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from stageformer.errors import StageformerError
from stageformer.params.base import MAX_SEED, MAX_TOKENS, WRONG_TYPE, Params, param


def _layers(value: object) -> object:
    numbers = value if isinstance(value, list) else []
    if value in ("last", "all") or (numbers and all(type(number) is int and number >= 0 for number in numbers)):
        if len(set(numbers)) == len(numbers):
            return value
    raise PydanticCustomError(WRONG_TYPE, "last, all, or a list of different layers from 0 on, such as [3, 6]")


Layers = Annotated[
    Any,
    BeforeValidator(_layers),
    WithJsonSchema(
        {"type": ["string", "array"], "items": {"type": "integer"}, "pattern": "^(last|all)$"}
    ),
]
"""Which layers of an encoder make memory, by their numbers: 0 is the embedding, the last is the encoder's output."""


class Encode(Params):
    """How the encoder output (the memory) is computed and kept."""

    layers: Layers = param(
        "last: the encoder's output; all: that of each layer, and the embedding; or their numbers, such as [3, 6], 0 "
        "the embedding: side by side for each token"
    )
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


def kept_layers(layers: str | list[int], num_layers: int) -> list[int] | None:
    """Return the layers that make memory, in the order asked for; None: the last alone.

    Args:
        layers: as ``encode.layers``
        num_layers: of the encoder

    Raises:
        StageformerError: the encoder has no such layer.
    """
    numbers = [*range(num_layers + 1)] if layers == "all" else [num_layers] if isinstance(layers, str) else layers
    if max(numbers) > num_layers:
        raise StageformerError(
            f"encode.layers: there is no layer {max(numbers)}; the encoder has 0 (the embedding) to {num_layers}"
        )
    return None if numbers == [num_layers] else [*numbers]
