"""The families of tokenizers by their names in ``tokenize.kind``. A new family is one module and one line here.

``params/tokenize.py`` lists the same names, so that a misspelt one is an error before any stage runs; a test compares.
"""

from __future__ import annotations

from stageformer.errors import StageformerError, did_you_mean
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.tokenizers.bpe import BpeTokenizer
from stageformer.text.tokenizers.byte_bpe import ByteBpeTokenizer
from stageformer.text.tokenizers.char import CharTokenizer
from stageformer.text.tokenizers.unigram import UnigramTokenizer
from stageformer.text.tokenizers.word import WordTokenizer
from stageformer.text.tokenizers.wordpiece import WordPieceTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    "bpe": BpeTokenizer,
    "unigram": UnigramTokenizer,
    "wordpiece": WordPieceTokenizer,
    "byte_bpe": ByteBpeTokenizer,
    "char": CharTokenizer,
    "word": WordTokenizer,
}


def tokenizer_class(kind: str) -> type[Tokenizer]:
    """Return the family of that name. Raises StageformerError when there is none."""
    if kind not in TOKENIZERS:
        raise StageformerError(
            f"unknown kind of tokenizer {kind!r}{did_you_mean(kind, TOKENIZERS)}; known: {', '.join(TOKENIZERS)}"
        )
    return TOKENIZERS[kind]
