"""Stageformer: the Transformer of "Attention Is All You Need" as a pipeline of staged artifacts.

The names below are the public interface, described with examples in ``docs/api.md``. Each is imported when it is first
used, so that ``import stageformer`` is instant and does not import torch.
"""

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stageformer.artifacts.tables import read_table
    from stageformer.building.model_files import load_model
    from stageformer.decoding.greedy_decode import greedy_decode
    from stageformer.decoding.sampling import Sampling
    from stageformer.errors import StageformerError
    from stageformer.memory.store import MemoryStore
    from stageformer.model.attention import MultiHeadAttention, SelfAttention
    from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
    from stageformer.model.embedding import PositionalEncoding
    from stageformer.model.layers import DecoderLayer, EncoderLayer, FeedForward
    from stageformer.model.transformer import Decoder, Encoder, Transformer
    from stageformer.text.pair import load_tokenizers
    from stageformer.text.vocabulary import Vocabulary, load_vocabularies
    from stageformer.translator.translator import Translation, Translator

    __version__: str

_MODULES = {
    "Decoder": "model.transformer",
    "DecoderLayer": "model.layers",
    "EmbeddingConfig": "model.config",
    "Encoder": "model.transformer",
    "EncoderLayer": "model.layers",
    "FeedForward": "model.layers",
    "MemoryStore": "memory.store",
    "MultiHeadAttention": "model.attention",
    "PositionalEncoding": "model.embedding",
    "Sampling": "decoding.sampling",
    "SelfAttention": "model.attention",
    "StackConfig": "model.config",
    "StageformerError": "errors",
    "Transformer": "model.transformer",
    "TransformerConfig": "model.config",
    "Translation": "translator.translator",
    "Translator": "translator.translator",
    "Vocabulary": "text.vocabulary",
    "greedy_decode": "decoding.greedy_decode",
    "load_model": "building.model_files",
    "load_tokenizers": "text.pair",
    "load_vocabularies": "text.vocabulary",
    "read_table": "artifacts.tables",
}
"""Each public name, and the module that it is from."""

__all__ = [
    "Decoder", "DecoderLayer", "EmbeddingConfig", "Encoder", "EncoderLayer", "FeedForward", "MemoryStore",
    "MultiHeadAttention", "PositionalEncoding", "Sampling", "SelfAttention", "StackConfig", "StageformerError",
    "Transformer", "TransformerConfig", "Translation", "Translator", "Vocabulary", "greedy_decode", "load_model",
    "load_tokenizers", "load_vocabularies", "read_table",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = pkgutil.resolve_name(f"{__name__}.{_MODULES[name]}:{name}")
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
