"""``char``: every code point is a token, spaces too."""

from __future__ import annotations

from stageformer.text.tokenizers.untrained import UntrainedTokenizer


class CharTokenizer(UntrainedTokenizer):
    """Cuts text into Unicode code points; joining them is exact."""

    kind = "char"
    exact = True

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        return [list(self.normalise(text)) for text in texts]

    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return "".join(tokens)
