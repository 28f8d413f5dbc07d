"""``word``: words and punctuation marks, by the normalisation that the field calls ``basic_english``.

Lossy: double quotes vanish, semicolons, colons and ``<br />`` count as spaces, and the spaces around ``' . , ( ) ! ?``
are guessed in decoding. What is promised: a decoded text is cut into the very same tokens again. Unlike the original,
the case is kept unless the parameter ``lowercase`` says otherwise.
"""

from __future__ import annotations

import re

from stageformer.text.tokenizers.spacing import join_words
from stageformer.text.tokenizers.untrained import UntrainedTokenizer

_MARKS = frozenset("'.,()!?")
_REPLACEMENTS = str.maketrans({mark: f" {mark} " for mark in _MARKS} | {'"': "", ";": " ", ":": " "})
_LINE_BREAK = re.compile(r"<br />")


class WordTokenizer(UntrainedTokenizer):
    """Cuts text at spaces and around punctuation."""

    kind = "word"
    exact = False

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        return [_words(self.normalise(text)) for text in texts]

    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return join_words(tokens, _MARKS)


def _words(text: str) -> list[str]:
    text = " ".join(text.translate(_REPLACEMENTS).split())
    # Taking out one <br /> can bring the halves of another together, as in "<br <br /> />".
    while _LINE_BREAK.search(text):
        text = " ".join(_LINE_BREAK.sub(" ", text).split())
    return text.split()
