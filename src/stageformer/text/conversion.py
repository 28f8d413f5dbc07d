"""From text to the ids of a source, and from the ids of a translation to text."""

from __future__ import annotations

from collections.abc import Sequence

from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabulary


def source_ids(texts: list[str], tokenizer: Tokenizer, vocabulary: Vocabulary) -> list[list[int]]:
    """Return the ids of each text, <eos> at the end, as the stage vocab stores them."""
    return [[*vocabulary.to_ids(tokens), vocabulary.eos_id] for tokens in tokenizer.encode_batch(texts)]


def target_text(ids: Sequence[int], tokenizer: Tokenizer, vocabulary: Vocabulary) -> str:
    """Return the text of a translation."""
    return tokenizer.decode(vocabulary.to_tokens(ids))
