"""The interface that every family of tokenizers implements."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Self


class Tokenizer(ABC):
    """Cuts text into token strings and joins token strings to text.

    A tokenizer knows no special tokens and no ids: those belong to the vocabulary. Characters that training never saw
    come out as tokens of their own, so that the vocabulary, and nobody else, decides what is unknown.

    Args:
        lowercase: lower-case every text first.
    """

    kind: ClassVar[str]
    """The name of the family, the value of the parameter ``tokenize.kind``."""
    exact: ClassVar[bool]
    """Whether ``decode(encode(text)) == normalise(text)`` for every Unicode text."""

    def __init__(self, lowercase: bool) -> None:
        self.lowercase = lowercase

    @classmethod
    @abstractmethod
    def train(cls, sentences: Iterable[str], vocabulary_size: int, lowercase: bool) -> Self:
        """Learn from ``sentences``, which may be iterated more than once.

        The result depends on the sentences and the arguments alone: not on threads, hash seeds or the clock.
        ``vocabulary_size`` is the number of tokens to learn; every character of the sentences is one of them, even
        where that makes more.
        """

    @abstractmethod
    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text; an empty text has none."""

    @abstractmethod
    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text. Any list of strings is allowed, since a model may produce any."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learnt into ``folder``; a family that learns nothing writes nothing."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, lowercase: bool) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of tokens learnt; None in a family that learns nothing."""

    def normalise(self, text: str) -> str:
        """Return the text that is cut: ``text`` itself, or its lower-cased form, composed again (NFC)."""
        return unicodedata.normalize("NFC", text.lower()) if self.lowercase else text
