"""``none``: text that is already tokens, with blanks between them, such as phonemes.

Lossy where a text has several blanks in a row, or one at an end, which ``ingest`` takes away. What is promised: a
decoded text is cut into the very same tokens again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stageformer.text.tokenizers.base import UntrainedTokenizer

if TYPE_CHECKING:
    import tokenizers


class NoTokenizer(UntrainedTokenizer):
    """Cuts text at blanks, and nowhere else."""

    kind = "none"
    exact = False

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        return [[token for token in self.form.apply(text).split(" ") if token] for text in texts]

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return " ".join(tokens)

    def to_hugging_face(self) -> tokenizers.Tokenizer:
        """Return the same in the components of the library."""
        import tokenizers
        from tokenizers import decoders, models, normalizers, pre_tokenizers

        from stageformer.text.hugging_face import no_special_tokens

        tokenizer = tokenizers.Tokenizer(models.WordLevel())
        tokenizer.normalizer = normalizers.Sequence([*self.form.components(), no_special_tokens()])
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="removed")
        # No token holds a blank, so that this prefix matches nothing, and each token gets a blank before it.
        tokenizer.decoder = decoders.WordPiece(prefix=" ", cleanup=False)
        return tokenizer
