"""The interface that every family of tokenizers implements.

A family is one file in this folder, which holds one subclass of :class:`Tokenizer`. Its name is that of the file, and
the value of ``kind`` in ``tokenize.source`` and ``tokenize.target``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from stageformer.text.form import Form

if TYPE_CHECKING:
    import tokenizers


class Tokenizer(ABC):
    """Cuts text into token strings and joins token strings to text.

    A tokenizer knows no special tokens and no ids: those belong to the vocabulary. Characters that training never saw
    come out as tokens of their own, so that only the vocabulary decides what is unknown.

    Args:
        form: given to every text first.
    """

    kind: ClassVar[str]
    """The name of the family: that of its file."""
    exact: ClassVar[bool]
    """True: ``join(encode(text)) == form.apply(text)`` for every Unicode text. False: something is lost, which the
    family documents, but a decoded text is cut into the same tokens again."""
    files: ClassVar[tuple[str, ...]]
    """The names of the files that :meth:`save` writes: their content is what is learnt."""

    def __init__(self, form: Form) -> None:
        self.form = form

    @classmethod
    @abstractmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from ``sentences``, which may be iterated more than once.

        ``options`` are the parameters of the family, a class of ``params/tokenize.py``; its ``vocabulary_size`` is the
        number of tokens to learn, of which every character of the sentences is one, even where that makes more. The
        result depends on the sentences and the options alone: not on threads, hash seeds or the clock.
        """

    @abstractmethod
    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text; an empty text has none."""

    @abstractmethod
    def join(self, tokens: list[str]) -> str:
        """Join token strings to a text in its form. Any list of strings is allowed, since a model may produce any."""

    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text as people write it."""
        return self.form.restore(self.join(tokens))

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learnt into ``folder``; a family that learns nothing writes nothing."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of tokens learnt; None in a family that learns nothing."""

    @property
    @abstractmethod
    def learnt(self) -> list[str]:
        """Every token that was learnt: each has an id, even if the training split was never cut into it."""

    @property
    def entries(self) -> list[str] | None:
        """The token of each id, our special tokens among them, in a family that brings its ids; else None."""
        return None

    @property
    def remark(self) -> str:
        """What a user should know about this tokenizer, in one line; ``""``: nothing."""
        return ""

    @property
    def max_word_length(self) -> int | None:
        """The characters of the longest word that is cut into pieces: a longer one is one token. None: no limit."""
        return None

    @property
    def versions(self) -> dict[str, str]:
        """The packages of others that cut the text, and their versions: another one may cut differently."""
        return {}

    @abstractmethod
    def to_hugging_face(self) -> tokenizers.Tokenizer | None:
        """Return a tokenizer of the Hugging Face library that does the same in the library's own components.

        It cuts what :meth:`encode_batch` is given into the same tokens, except that what training
        never saw becomes the model's unknown token, and it joins tokens as :meth:`join` does. Its model is a BPE, a
        Unigram, a WordPiece or, in a family that learns nothing, a WordLevel without entries: the ids are those of
        whoever has a vocabulary. None: the library cannot express this family, and the model cannot be exported with
        its tokenizer.
        """


class UntrainedTokenizer(Tokenizer):
    """A tokenizer that is wholly given by its code: there is nothing to train, to save or to load."""

    files = ()

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn nothing."""
        return cls(Form.of(options, sentences))

    def save(self, folder: Path) -> None:
        """Write nothing."""

    @classmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read nothing."""
        return cls(form)

    @property
    def size(self) -> None:
        """None: nothing is learnt."""
        return None

    @property
    def learnt(self) -> list[str]:
        """No tokens."""
        return []
