"""Which tokens the words of a text are in, where words are what stands between white space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from stageformer.text.alignment import Span
from stageformer.text.tokenizers.base import Tokenizer


def word_tokens(text: str, tokens: Sequence[str], tokenizer: Tokenizer) -> list[Span] | None:
    """Return the tokens that each word of a text is in: the first, and the one after the last.

    Two words share a token that reaches from one into the other.

    Args:
        text: words with white space between them.
        tokens: of the text.
        tokenizer: that made them.

    Returns:
        None where the tokens do not tell: they decode to a text of another length, such as one without accents, and are
        not those of the words one by one.
    """
    if len(tokenizer.decode(list(tokens))) != len(text):
        return _one_by_one(text, tokens, tokenizer)
    ends = [len(tokenizer.decode(list(tokens[: count + 1]))) for count in range(len(tokens))]
    if not ends or ends != sorted(ends):
        return _one_by_one(text, tokens, tokenizer)
    spans, stop = [], 0
    for word in text.split():
        start = text.index(word, stop)
        stop = start + len(word)
        spans.append((int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(ends, stop)) + 1))
    return spans


def _one_by_one(text: str, tokens: Sequence[str], tokenizer: Tokenizer) -> list[Span] | None:
    """Return the spans where each word alone has the tokens that it has in the text, as with BERT; else None."""
    alone = tokenizer.encode_batch(text.split())
    if [token for of_word in alone for token in of_word] != list(tokens) or not all(alone):
        return None
    stops = np.cumsum([len(of_word) for of_word in alone]).tolist()
    return list(itertools.pairwise([0, *stops]))
