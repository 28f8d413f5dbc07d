"""From text to the ids of a source, and from the ids of a translation to text."""

from __future__ import annotations

from collections.abc import Sequence

from stageformer.decoding.rules import Rules
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabulary


def source_ids(texts: list[str], tokenizer: Tokenizer, vocabulary: Vocabulary) -> list[list[int]]:
    """Return the ids of each text, <eos> at the end, as the stage vocab stores them."""
    return [[*vocabulary.to_ids(tokens), vocabulary.eos_id] for tokens in tokenizer.encode_batch(texts)]


def target_text(ids: Sequence[int], tokenizer: Tokenizer, vocabulary: Vocabulary) -> str:
    """Return the text of a translation."""
    return tokenizer.decode(vocabulary.to_tokens(ids))


def rules_for(
    vocabulary: Vocabulary, *, max_length_ratio: float, max_length_offset: int, min_length_ratio: float = 0.0
) -> Rules:
    """Return the rules of translations into the language of this vocabulary."""
    return Rules(
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id,
        forbidden_ids=(vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id),
        max_length_ratio=max_length_ratio,
        max_length_offset=max_length_offset,
        min_length_ratio=min_length_ratio,
    )
