"""The shape of a model, as plain values that can be stored beside its weights."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class StackConfig:
    """A stack of encoder or decoder layers. Section 3.1 of the paper; base: N 6, H 8, F 2048, dropout 0.1."""

    # All but the width are parameters of both training stages: type, meaning, lowest and highest value.
    d_model: int
    num_layers: Annotated[int, "number of layers (N)", 1, 1000]
    num_heads: Annotated[int, "number of attention heads (H); divides d_model unless d_k and d_v are given", 1, 1024]
    d_ff: Annotated[int, "inner width of the feed-forward network (F)", 1, 1_000_000]
    activation: Annotated[Literal["relu", "gelu"], "activation of the feed-forward network"] = "relu"
    norm: Annotated[Literal["post", "pre"], "layer norm after (as in the paper) or before each sub-layer"] = "post"
    attention_only: Annotated[bool, "for teaching: no residual connections, norms, feed-forward"] = False
    d_k: Annotated[int | None, "width of queries and keys in each head; null: d_model / num_heads", 1, 65_536] = None
    d_v: Annotated[int | None, "width of values in each head; null: d_model / num_heads", 1, 65_536] = None
    causal: bool | None = None  # of an encoder: each position attends only to itself and to earlier ones
    kept: list[int] | None = None  # of an encoder: layers side by side as its memory, 0 the embedding; None: the last
    residual_dropout: Annotated[float, "dropout on the output of each sub-layer", 0, 0.95] = 0.0
    embedding_dropout: Annotated[float, "dropout on the sum of embedding and position", 0, 0.95] = 0.0
    attention_dropout: Annotated[float, "dropout on the attention weights", 0, 0.95] = 0.0

    def __post_init__(self) -> None:
        if self.d_model % self.num_heads and None in (self.d_k, self.d_v):
            raise ValueError(f"num_heads is {self.num_heads}, which does not divide d_model ({self.d_model})")
        for name, kind in get_type_hints(StackConfig).items():
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(get_args(kind))}")


@dataclass(frozen=True)
class EmbeddingConfig:
    """Token embedding and positions of one side."""

    vocabulary_size: Annotated[int, "number of tokens (V)", 1, 100_000_000]
    d_model: Annotated[int, "width of a vector (D)", 1, 65_536]
    scale: bool = True
    positions: Literal["sinusoidal", "learned", "none"] = "sinusoidal"
    max_length: Annotated[int, "positions in the table", 1, 1_000_000] = 512


@dataclass(frozen=True)
class TransformerConfig:
    """A whole encoder-decoder model."""

    source: EmbeddingConfig
    target: EmbeddingConfig
    encoder: StackConfig
    decoder: StackConfig
    share_embeddings: bool = False  # one matrix for source and target; needs one vocabulary
    tie_output: bool = True  # the target embedding is the output projection, too (section 3.4)
