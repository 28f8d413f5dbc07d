"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), readable in one sitting.

Read in this order: ``attention``, ``embedding``, ``layers``, ``transformer``. This is the paper's formulation; where a
function is ``accelerated_by`` a kernel, that one takes its place. The package imports only torch and ``kernels``.

Shape letters, used everywhere: B batch, S source length, T target length, D d_model, H heads, d_k and d_v widths in
a head (D / H unless they are given), F feed-forward (d_ff), V vocabulary.
"""

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stageformer.model.attention import MultiHeadAttention, SelfAttention, causal_mask, padding_mask
    from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
    from stageformer.model.embedding import Embedding, PositionalEncoding, sinusoidal_positions
    from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
    from stageformer.model.transformer import Decoder, Encoder, Transformer

__all__ = [
    "Decoder", "DecoderLayer", "Embedding", "EmbeddingConfig", "Encoder", "EncoderLayer", "FeedForward",
    "MultiHeadAttention", "PositionalEncoding", "SelfAttention", "StackConfig", "Transformer", "TransformerConfig",
    "causal_mask", "padding_mask", "sinusoidal_positions",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that ``model.config`` can be read without torch."""
    if name in __all__:
        for module in ("config", "attention", "embedding", "layers", "transformer"):
            found = getattr(pkgutil.resolve_name(f"{__name__}.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
