"""The interface that every cutter implements: a library of others that finds the words of a text.

A cutter is one file in this folder, which holds one subclass of :class:`Cutter`. Its name is that of the file, and a
value of ``cutter`` in the parameters; ``NEEDS`` in the file lists the packages that it imports. A cutter only says
where words are. Spaces, case and subwords are the business of the tokenizer ``cut``.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from stageformer.errors import StageformerError, did_you_mean
from stageformer.text.alignment import Span, find_words

HOW_LANGUAGE = "set `language` in params.yaml, or --language of `stageformer tokenize`"


def how_path(cutter: str) -> str:
    """Return how the user says where the data of a cutter is, for a message."""
    return f"set `path` in params.yaml to FOLDER, or write {cutter}=FOLDER in `stageformer tokenize`"


@dataclass(frozen=True)
class CutterOptions:
    """What a cutter is told."""

    language: str | None = None
    """The code of a language, such as ``de``; a cutter that knows no languages ignores it."""
    path: str | None = None
    """The folder of the data that a cutter needs and no package brings; None: where its library looks for it."""


class Cutter(ABC):
    """Finds the words of a text; punctuation marks count as words.

    Args:
        options: the language and the data.

    Raises:
        StageformerError: a package, the language or the data is missing.
    """

    distributions: ClassVar[tuple[str, ...]] = ()
    """The installed packages whose versions decide how a text is cut, by their names in a package index."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """Which of its options a cutter uses: ``language``, ``path``."""
    lost: ClassVar[str] = ""
    """What of a text is not in the words, where that is the cutter's purpose; ``""``: a word is as it is in the text.

    A cutter that loses text finds the same words again in its own words joined with spaces.
    """

    def __init__(self, options: CutterOptions) -> None:
        self.options = options

    @classmethod  # noqa: B027  # most cutters need nothing
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if there is no such language, or no data for it. Called before anything runs."""

    @abstractmethod
    def words(self, text: str) -> list[str]:
        """Return the words of a text, in its order."""

    def spans(self, text: str) -> list[Span]:
        """Return where the words are in a text, in its order and without overlap. Used where nothing is lost."""
        return find_words(text, self.words(text))

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return what decides how a text is cut: the versions of the packages that are here, and a hash of the data."""
        return versions_of(cls.distributions)

    def own_versions(self) -> dict[str, str]:
        """Return the same of a cutter that is open."""
        return self.versions(self.options)


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in distributions:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def check_language(language: str | None, known: Iterable[str], cutter: str) -> str:
    """Return the language. Raises StageformerError if it is none of those that a cutter knows."""
    names = sorted(known)
    if language not in names:
        found = "null" if language is None else f"{language!r}{did_you_mean(language, names)}"
        raise StageformerError(
            f"the cutter {cutter} needs a language and got {found}; {HOW_LANGUAGE}; it knows {', '.join(names)}"
        )
    return language


def digest(paths: Iterable[Path]) -> str:
    """Return the first digits of a hash of files, by which another version of the data is noticed."""
    hashed = hashlib.sha256()
    for path in sorted(paths):
        hashed.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]
