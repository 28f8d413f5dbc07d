"""The shape of a model, as plain values that can be stored beside its weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StackConfig:
    """A stack of encoder or decoder layers. Section 3.1 of the paper; base: N 6, H 8, F 2048, dropout 0.1."""

    d_model: int
    num_layers: int
    num_heads: int
    d_ff: int
    activation: str = "relu"
    norm: str = "post"
    attention_only: bool = False
    residual_dropout: float = 0.0
    embedding_dropout: float = 0.0
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.d_model % self.num_heads:
            raise ValueError(f"num_heads is {self.num_heads}, which does not divide d_model ({self.d_model})")
        if self.activation not in ("relu", "gelu"):
            raise ValueError(f"activation is {self.activation!r}; allowed: relu, gelu")
        if self.norm not in ("post", "pre"):
            raise ValueError(f"norm is {self.norm!r}; allowed: post, pre")


@dataclass(frozen=True)
class EmbeddingConfig:
    """Token embedding and positions of one side."""

    vocabulary_size: int
    d_model: int
    scale: bool = True
    positions: str = "sinusoidal"
    max_length: int = 512


@dataclass(frozen=True)
class TransformerConfig:
    """A whole encoder-decoder model."""

    source: EmbeddingConfig
    target: EmbeddingConfig
    encoder: StackConfig
    decoder: StackConfig
    share_embeddings: bool = False  # one matrix for source and target; needs one vocabulary
    tie_output: bool = True  # the target embedding is the output projection, too (section 3.4)
