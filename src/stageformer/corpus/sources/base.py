"""What a corpus source yields: pairs of text, and the records that could not become one.

A source is one file in this folder, which holds one subclass of :class:`Source` under the name of the file, the value
of ``ingest.source``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from stageformer.artifacts.header import SPLITS
from stageformer.corpus.download import fetch, is_address
from stageformer.corpus.files import expand, read_lines
from stageformer.errors import did_you_mean
from stageformer.params.ingest import Ingest

REMEDY = "fix it, or set ingest.on_bad_line: drop"


class Record(NamedTuple):
    """One pair of sentences as the corpus has it."""

    source: str
    target: str
    """Empty where the corpus has one side alone."""
    group: str
    """Rows with the same group stay in one split; empty: no group."""
    where: str
    """File name and line, or component and key: for the reader of reports, the same on every machine."""
    tag: str = ""
    """What is put before the source, such as ``<2de>``; empty: nothing."""
    weight: int = 1
    """How often the pair is written into train."""
    labels: tuple[str, ...] = ()
    """As ``ingest.labels`` says: none, one, several, or one for each word of the source."""

    @property
    def input(self) -> str:
        """The source as the model gets it: with its tag."""
        return f"{self.tag} {self.source}" if self.tag else self.source

    @property
    def labelled_input(self) -> str:
        """The input with its labels: rows that have other labels are neither duplicates nor further references."""
        return "\n".join([self.input, *self.labels])


class Rejected(NamedTuple):
    """A record that is not a pair of sentences."""

    reason: str
    """Why, in one word of ``statistics.REASONS`` or one of the source's own."""
    where: str
    message: str | None
    """The error under ``on_bad_line: error``; None where it is not a mistake (a string without translation)."""
    source: str = ""


Records = Iterable[Record | Rejected]
"""A corpus, or one split of it, that can be read again and again in the same order."""

ROWS = 4_096
"""Records in a part."""


class Part(ABC):
    """Some records of a corpus, one after the other, that may still have to be made of what was read.

    So whoever hands out the parts does little, and the worker that gets one does the rest.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of records."""

    @abstractmethod
    def only(self, places: Sequence[int]) -> Part:
        """Return the records at these places."""

    @abstractmethod
    def records(self) -> Sequence[Record | Rejected]:
        """Return the records."""


@dataclass(frozen=True)
class ReadPart(Part):
    """Records that have been made."""

    found: Sequence[Record | Rejected]

    def __len__(self) -> int:
        """See :meth:`Part.__len__`."""
        return len(self.found)

    def only(self, places: Sequence[int]) -> Part:
        """See :meth:`Part.only`."""
        return ReadPart([self.found[place] for place in places])

    def records(self) -> Sequence[Record | Rejected]:
        """See :meth:`Part.records`."""
        return self.found


def parts_of(records: Records, size: int = ROWS) -> Iterator[Part]:
    """Yield the parts of a corpus, of at most ``size`` records. Raises StageformerError as :meth:`Source.__iter__`."""
    if isinstance(records, LineSource | Mixture):
        yield from records.parts(size)
        return
    left = iter(records)
    while found := list(islice(left, size)):
        yield ReadPart(found)


class Source(ABC):
    """A corpus, or one split of it, that can be read again and again in the same order."""

    @classmethod
    @abstractmethod
    def open(cls, params: Ingest, cache: Path) -> Mapping[str, Records]:
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


class ListedSource(Source):
    """A corpus that ``ingest.files`` lists: for each split, one corpus or several, each with its tag and its weight."""

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Records]:
        """See :meth:`Source.open`."""
        step = cls.names_per_corpus(params)
        by_split: dict[str, list[str]] = {split: getattr(params.files, split) for split in SPLITS}
        return {
            split: mixture(
                [cls.of_names(names[start : start + step], params, cache) for start in range(0, len(names), step)],
                params.files.tags,
                params.files.weights if split == "train" else [],
            )
            for split, names in by_split.items()
            if names
        }

    @staticmethod
    def names_per_corpus(params: Ingest) -> int:
        """Return how many names in ``ingest.files`` make one corpus."""
        return 1

    @classmethod
    @abstractmethod
    def of_names(cls, names: list[str], params: Ingest, cache: Path) -> Self:
        """Return one corpus, from its names in ``ingest.files``. Raises StageformerError as :meth:`Source.open`."""


class FileSource(ListedSource):
    """A corpus in the user's own files."""

    @classmethod
    def of_names(cls, names: list[str], params: Ingest, cache: Path) -> Self:
        """See :meth:`ListedSource.of_names`."""
        files = [[fetch(name, cache)] if is_address(name) else expand(name) for name in names]
        return cls.of_files(files, params)

    @classmethod
    @abstractmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """Return the source over the files of one corpus.

        Args:
            files: for each name in the parameters, the files that it refers to: itself, or those of a folder or of a
                pattern.
            params: the parameters of the stage.
        """


class LineSource(FileSource):
    """A corpus in files with a record on each line."""

    files: tuple[Path, ...]

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for part in self.parts(ROWS):
            yield from part.records()

    def parts(self, size: int) -> Iterator[Part]:
        """Yield the parts of the corpus, of at most ``size`` lines."""
        for file in self.files:
            lines = enumerate(read_lines(file), start=1)
            head: list[tuple[int, bytes]] = []
            self.reader(file, _noted(lines, head))
            while block := list(islice(lines, size)):
                yield LinesPart(self, file, tuple(head), block)

    @abstractmethod
    def reader(self, file: Path, lines: Iterator[tuple[int, bytes]]) -> Callable[[int, str], Record | Rejected]:
        """Return what makes a record of a line, given its number and text; a header is taken from ``lines`` first."""


def _noted(lines: Iterator[tuple[int, bytes]], taken: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Pass lines on, and note which were taken."""
    for line in lines:
        taken.append(line)
        yield line


@dataclass(frozen=True)
class LinesPart(Part):
    """Lines of a file that are not decoded yet."""

    source: LineSource
    file: Path
    head: tuple[tuple[int, bytes], ...]
    """The lines before the first record: the header, if there is one."""
    lines: list[tuple[int, bytes]]
    """Number and content."""

    def __len__(self) -> int:
        """See :meth:`Part.__len__`."""
        return len(self.lines)

    def only(self, places: Sequence[int]) -> Part:
        """See :meth:`Part.only`."""
        return replace(self, lines=[self.lines[place] for place in places])

    def records(self) -> Sequence[Record | Rejected]:
        """See :meth:`Part.records`."""
        record_of = self.source.reader(self.file, iter(self.head))
        decoded = ((number, decode(self.file, number, line)) for number, line in self.lines)
        return [text if isinstance(text, Rejected) else record_of(number, text) for number, text in decoded]


@dataclass(frozen=True)
class MixturePart(Part):
    """Some records of one corpus of a mixture."""

    part: Part
    tag: str
    weight: int

    def __len__(self) -> int:
        """See :meth:`Part.__len__`."""
        return len(self.part)

    def only(self, places: Sequence[int]) -> Part:
        """See :meth:`Part.only`."""
        return replace(self, part=self.part.only(places))

    def records(self) -> Sequence[Record | Rejected]:
        """See :meth:`Part.records`."""
        return [
            record if isinstance(record, Rejected) else record._replace(tag=self.tag, weight=self.weight)
            for record in self.part.records()
        ]


@dataclass(frozen=True)
class Mixture:
    """Several corpora, one after the other, each with its tag and its weight."""

    corpora: tuple[tuple[Records, str, int], ...]

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for part in self.parts(ROWS):
            yield from part.records()

    def parts(self, size: int) -> Iterator[Part]:
        """Yield the parts of the corpora, of at most ``size`` records."""
        for corpus, tag, weight in self.corpora:
            for part in parts_of(corpus, size):
                yield MixturePart(part, tag, weight)


def mixture(corpora: Sequence[Records], tags: Sequence[str], weights: Sequence[int]) -> Records:
    """Return several corpora as one.

    Args:
        corpora: one or more.
        tags: of each; none: no tags.
        weights: of each; none: each corpus is there once.
    """
    if len(corpora) == 1 and not tags and not weights:
        return corpora[0]
    of_each = tags or [""] * len(corpora), weights or [1] * len(corpora)
    return Mixture(tuple(zip(corpora, *of_each, strict=True)))


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
