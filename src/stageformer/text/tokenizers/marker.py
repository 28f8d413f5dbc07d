"""The space marker: spaces become ``▁`` at the head of the next word, so that joined tokens give back the text exactly.

A text that holds ``▁`` itself is escaped first (``▁`` as ``␛_``, ``␛`` as ``␛␛``), and unescaped in decoding.
"""

from __future__ import annotations

import re

from tokenizers import Regex, normalizers, pre_tokenizers

SPACE = "▁"
ESCAPE = "␛"
UNKNOWN = f"{SPACE}<unk>{SPACE}"
"""The name of the unknown piece inside a model. No stretch has a marker but at its head, so no text can spell it."""

_STRETCHES = rf"{SPACE}?[\p{{L}}\p{{M}}]+|{SPACE}?\p{{N}}+|{SPACE}?[^\p{{L}}\p{{M}}\p{{N}}{SPACE}]+|{SPACE}"
_ESCAPES = str.maketrans({SPACE: f"{ESCAPE}_", ESCAPE: ESCAPE * 2})
_MARKED = re.compile(f"{ESCAPE}[{ESCAPE}_]|{SPACE}")
_MEANING = {SPACE: " ", f"{ESCAPE}_": SPACE, ESCAPE * 2: ESCAPE}


def normalizer() -> normalizers.Normalizer:
    """Put a marker before the first word and in place of each space."""
    return normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])


def pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Cut into stretches of letters, of digits and of anything else, each with the marker before it.

    Without the cut at punctuation, ``house.`` and ``house,`` would be learnt as words of their own.
    """
    return pre_tokenizers.Split(Regex(_STRETCHES), behavior="isolated")


def escape(text: str) -> str:
    """Return the text with no ``▁`` in it; nearly every text is returned as it is."""
    return text.translate(_ESCAPES) if SPACE in text or ESCAPE in text else text


def join(tokens: list[str]) -> str:
    """Join marked tokens to text: the inverse of escaping and marking."""
    text = _MARKED.sub(lambda match: _MEANING[match.group()], "".join(tokens))
    # The first word got a marker as well; a model's output need not begin with one.
    return text[1:] if tokens and "".join(tokens).startswith(SPACE) else text
