"""The marker ``▁`` in place of a space, which makes tokens that can be joined to exactly the text that they came from.

A space becomes the ``▁`` at the head of the next token, and the first token of a text gets one as well, so that a word
is the same token everywhere. A text that holds ``▁`` itself is escaped first (``▁`` as ``␛_``, ``␛`` as ``␛␛``).
"""

from __future__ import annotations

import re

SPACE = "▁"
ESCAPE = "␛"

_ESCAPES = str.maketrans({SPACE: f"{ESCAPE}_", ESCAPE: ESCAPE * 2})
_MARKED = re.compile(f"{ESCAPE}[{ESCAPE}_]|{SPACE}")
_MEANING = {SPACE: " ", f"{ESCAPE}_": SPACE, ESCAPE * 2: ESCAPE}


def escape(text: str) -> str:
    """Return the text with no ``▁`` in it; nearly every text is returned as it is."""
    return text.translate(_ESCAPES) if SPACE in text or ESCAPE in text else text


def mark(text: str) -> str:
    """Return the text escaped, with a marker before it and in place of each space."""
    return SPACE + escape(text).replace(" ", SPACE)


def unmark(marked: str) -> str:
    """Return the text that was marked. The first marker may be missing: a model's output need not begin with one."""
    text = _MARKED.sub(lambda match: _MEANING[match.group()], marked)
    return text[1:] if marked.startswith(SPACE) else text
