"""What ``bpe`` and ``unigram`` have in common: a marker in the place of each space, and nothing is lost."""

from __future__ import annotations

import tokenizers
from tokenizers import models

from stageformer.text.tokenizers import marker
from stageformer.text.tokenizers.hugging_face import HuggingFaceTokenizer


class MarkedTokenizer(HuggingFaceTokenizer):
    """A tokenizer of the Hugging Face library on text whose spaces are marked."""

    exact = True
    unknown = marker.UNKNOWN

    @staticmethod
    def untrained(model: models.Model) -> tokenizers.Tokenizer:
        """Return a tokenizer of the library that marks the spaces and has learnt nothing yet."""
        library_tokenizer = tokenizers.Tokenizer(model)
        library_tokenizer.normalizer = marker.normalizer()
        library_tokenizer.pre_tokenizer = marker.pre_tokenizer()
        return library_tokenizer

    def prepare(self, text: str) -> str:
        """Return the text as the model is given it."""
        return marker.escape(text)

    def surface(self, text: str) -> list[str]:
        """Return one token for each unknown character."""
        return list(text)

    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return marker.join(tokens)
