"""Spaces between words and punctuation marks, for the families of tokenizers that do not keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import decoders

_AROUND = frozenset("'’-/_@\\")
NO_SPACE_LEFT = frozenset(".,!?;:)]}%…»") | _AROUND
NO_SPACE_RIGHT = frozenset("([{«¿¡") | _AROUND
MARKS = NO_SPACE_LEFT | NO_SPACE_RIGHT


def join_words(words: list[str], marks: frozenset[str] = MARKS) -> str:
    """Join words with spaces, except at the usual places beside punctuation marks that are words of their own.

    The rules are those of most European languages, and guesses: ``rock ' n ' roll`` becomes ``rock'n'roll``.

    Args:
        words: words and marks.
        marks: those that the tokenizer always cuts off; only beside these can a space be left out, since any other
            would grow together with its neighbour.
    """
    pieces: list[str] = []
    previous = ""
    for word in words:
        glued = (
            not pieces
            or (word in marks and word in NO_SPACE_LEFT)
            or (previous in marks and previous in NO_SPACE_RIGHT)
        )
        pieces.append(word if glued else f" {word}")
        previous = word
    return "".join(pieces)


def joining_decoder(marks: frozenset[str] = MARKS, *, continuation: str | None = None) -> decoders.Decoder:
    """Return :func:`join_words` in the components of the Hugging Face library.

    Args:
        marks: as there.
        continuation: what a token begins with that continues the word before it; None: every token is a word.
    """
    from tokenizers import Regex, decoders

    from stageformer.text.hugging_face import character_class

    left, right = character_class(marks & NO_SPACE_LEFT), character_class(marks & NO_SPACE_RIGHT)
    superfluous = Regex(rf" (?=[{left}](?: |\z))|(?<=\A[{right}]| [{right}]) ")
    # No word holds a space, so that this prefix matches nothing, and each word gets a space before it.
    joined = decoders.WordPiece(prefix=continuation or " ", cleanup=False)
    return decoders.Sequence([joined, decoders.Fuse(), decoders.Replace(superfluous, "")])
