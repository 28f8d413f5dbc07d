"""``char``: every code point is a token, spaces too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stageformer.text.tokenizers.base import UntrainedTokenizer

if TYPE_CHECKING:
    import tokenizers


class CharTokenizer(UntrainedTokenizer):
    """Cuts text into Unicode code points; joining them is exact."""

    kind = "char"
    exact = True

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        return [list(self.form.apply(text)) for text in texts]

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return "".join(tokens)

    def to_hugging_face(self) -> tokenizers.Tokenizer:
        """Return the same in the components of the library."""
        import tokenizers
        from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers


        tokenizer = tokenizers.Tokenizer(models.WordLevel())
        tokenizer.normalizer = normalizers.Sequence(self.form.components())
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        tokenizer.decoder = decoders.Fuse()
        return tokenizer
