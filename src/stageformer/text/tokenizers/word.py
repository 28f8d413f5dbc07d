"""``word``: words and punctuation marks, by the normalisation that the field calls ``basic_english``.

Lossy: double quotes vanish, semicolons, colons and ``<br />`` count as spaces, and the spaces around ``' . , ( ) ! ?``
are guessed in decoding. What is promised: a decoded text is cut into the very same tokens again. Unlike the original,
the case is kept unless the parameter ``lowercase`` says otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stageformer.text.spacing import join_words, joining_decoder
from stageformer.text.tokenizers.base import UntrainedTokenizer

if TYPE_CHECKING:
    import tokenizers

_MARKS = frozenset("'.,()!?")
_REPLACEMENTS = str.maketrans({mark: f" {mark} " for mark in _MARKS} | {'"': "", ";": " ", ":": " "})
_LINE_BREAK = re.compile(r"<br />")


class WordTokenizer(UntrainedTokenizer):
    """Cuts text at spaces and around punctuation."""

    kind = "word"
    exact = False

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        return [_words(self.form.apply(text)) for text in texts]

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return join_words(tokens, _MARKS)

    def to_hugging_face(self) -> tokenizers.Tokenizer:
        """Return the same in the components of the library."""
        import tokenizers
        from tokenizers import Regex, models, normalizers, pre_tokenizers

        from stageformer.text.hugging_face import no_special_tokens

        tokenizer = tokenizers.Tokenizer(models.WordLevel())
        tokenizer.normalizer = normalizers.Sequence(
            [
                *self.form.components(),
                *(normalizers.Replace(mark, f" {mark} ") for mark in sorted(_MARKS)),
                normalizers.Replace('"', ""),
                normalizers.Replace(Regex("[;: ]+"), " "),
                # Taking out one can bring the halves of another together.
                *[normalizers.Replace(Regex("<br +/>"), " ")] * 2,
                no_special_tokens(),
            ]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        tokenizer.decoder = joining_decoder(_MARKS)
        return tokenizer


def _words(text: str) -> list[str]:
    text = " ".join(text.translate(_REPLACEMENTS).split())
    # Taking out one <br /> can bring the halves of another together, as in "<br <br /> />".
    while _LINE_BREAK.search(text):
        text = " ".join(_LINE_BREAK.sub(" ", text).split())
    return text.split()
