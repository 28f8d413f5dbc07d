"""What a corpus source yields: pairs of text, and the records that could not become one.

A source is one file in this folder, which holds one subclass of :class:`Source` under the name of the file, the value
of ``ingest.source``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from stageformer.artifacts.header import SPLITS
from stageformer.corpus.files import expand
from stageformer.errors import did_you_mean
from stageformer.params.ingest import Files, Ingest

REMEDY = "fix it, or set ingest.on_bad_line: drop"


class Record(NamedTuple):
    """One pair of sentences as the corpus has it."""

    source: str
    target: str
    group: str
    """Rows with the same group stay in one split; empty: no group."""
    where: str
    """File name and line, or component and key: for the reader of reports, the same on every machine."""


class Rejected(NamedTuple):
    """A record that is not a pair of sentences."""

    reason: str
    """Why, in one word of ``statistics.REASONS`` or one of the source's own."""
    where: str
    message: str | None
    """The error under ``on_bad_line: error``; None where it is not a mistake (a string without translation)."""
    source: str = ""


class Source(ABC):
    """A corpus, or one split of it, that can be read again and again in the same order."""

    @classmethod
    @abstractmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """Return the sources by split. ``train`` is always there; a split that is not is to be split off from it.

        Args:
            params: the parameters of the stage ``ingest``.
            cache: folder for downloads.

        Raises:
            StageformerError: there is no such corpus.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the records. A bad one is yielded as :class:`Rejected`, and whoever reads decides.

        Raises:
            StageformerError: what no row can be dropped for: a missing or cut-off file, files of unequal length, a
                missing column.
        """


class FileSource(Source):
    """A corpus in the user's own files, named in ``ingest.files``."""

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`."""
        by_split = {split: getattr(params.files, split) for split in SPLITS}
        return {split: cls.of_files([expand(name) for name in names], params.files)
                for split, names in by_split.items() if names}  # fmt: skip

    @classmethod
    @abstractmethod
    def of_files(cls, files: list[list[Path]], params: Files) -> Self:
        """Return the source over the files of one split.

        Args:
            files: for each name in the parameters, the files that it refers to: itself, or those of a folder or of a
                pattern.
            params: the columns.
        """


def is_unicode(text: str) -> bool:
    """Return False for text with lone surrogates, which JSON can spell and UTF-8 cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def did_you_mean_field(name: str, fields: list[str]) -> str:
    """Return a hint at the field that was meant: one of the same name inside of another, or the one nearest."""
    inside = next((field for field in fields if field.endswith(f".{name}")), None)
    return f" (did you mean {inside!r}?)" if inside else did_you_mean(name, fields)


def decode(path: Path, number: int, line: bytes) -> str | Rejected:
    """Return the text of a line that must be UTF-8 and not empty, or why there is none."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        byte = error.start
        hint = " (the file looks like UTF-16)" if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        message = f"{path}:{number}:{byte + 1}: byte 0x{line[byte]:02x} is not UTF-8{hint}; {REMEDY}"
        return Rejected("not_utf8", f"{path.name}:{number}", message, line.decode(errors="replace"))
    if not text.strip():
        return Rejected("empty", f"{path.name}:{number}", f"{path}:{number}: empty line; {REMEDY}")
    return text
