"""Where the words are that a cutter found: from words to spans of the text, and from spans to tokens and back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stageformer.text.marker import SPACE, escape

Span = tuple[int, int]
"""Begin and end of a word in a text, in characters."""

_SPACES = re.compile(r"\s*")
_STRETCHES = re.compile(rf"{SPACE}?[^{SPACE}]+|{SPACE}")
_QUOTES = {"``": '"', "''": '"'}
"""What the conventions of the Penn Treebank write for a quotation mark."""


def find_words(text: str, words: Iterable[str]) -> list[Span]:
    """Find words in the text that they were cut from, each at the first place after the one before it.

    A word that the cutter changed, such as ``&`` for ``&amp;``, may not be found. Its text is in no span then.
    """
    spans = []
    position = 0
    for word in words:
        start = _SPACES.match(text, position).end()  # type: ignore[union-attr]  # it matches anything
        if not text.startswith(word, start):
            quote = _QUOTES.get(word)
            if quote and text.startswith(quote, start):
                word = quote
            else:
                start = text.find(word, position)
        if word and start >= 0:
            position = start + len(word)
            spans.append((start, position))
    return spans


def tokens_of(text: str, spans: Iterable[Span]) -> list[str]:
    """Return tokens whose concatenation is the marked text (:mod:`stageformer.text.marker`), one for each span.

    A single space before a word becomes the marker at its head. All other text between two words, such as a second
    space or a tab, is cut at spaces into tokens of its own, so that nothing is lost.
    """
    tokens: list[str] = []
    done, space = 0, SPACE  # the first token of a text has a marker, too
    for start, end in spans:
        while start < end and text[start] == " ":
            start += 1
        while start < end and text[end - 1] == " ":
            end -= 1
        if start == end or start < done:
            continue
        if start > done:
            between = space + escape(text[done:start]).replace(" ", SPACE)
            space = SPACE if between.endswith(SPACE) else ""
            tokens += _STRETCHES.findall(between.removesuffix(SPACE))
        tokens.append(space + escape(text[start:end]).replace(" ", SPACE))
        done, space = end, ""
    if done < len(text):
        tokens += _STRETCHES.findall(space + escape(text[done:]).replace(" ", SPACE))
    return tokens


def tokens_of_words(words: Iterable[str]) -> list[str]:
    """Return a token for each word, as :func:`tokens_of` does for the text that has single spaces between them."""
    return [SPACE + escape(word).replace(" ", SPACE) for word in words]
