"""A corpus in line-aligned text files, one for each side, plain or compressed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NoReturn, Self

from stageformer.corpus.files import read_lines
from stageformer.corpus.labels import REASON, LabelsError, read_labels
from stageformer.corpus.sources.base import REMEDY, FileSource, Record, Rejected, decode
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest


@dataclass(frozen=True)
class LinesSource(FileSource):
    """Line N of a file belongs to line N of the others."""

    files: tuple[tuple[Path, ...], ...]
    """Each file of the source, with that of the target if there are targets, and that of the labels."""
    labels: str = "none"
    """``ingest.labels``."""

    @staticmethod
    def names_per_corpus(params: Ingest) -> int:
        """See :meth:`ListedSource.names_per_corpus`."""
        return params.names_per_corpus

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """See :meth:`FileSource.of_files`. Raises StageformerError unless all sides have as many files."""
        sources = files[0]
        for others in files[1:]:
            if len(sources) != len(others):
                raise StageformerError(
                    f"{sources[0]} and so on are {len(sources)} files, but {others[0]} and so on are {len(others)}; "
                    "each file of the source needs one of the target and of the labels; see ingest.files"
                )
        return cls(tuple(zip(*files, strict=True)), params.labels)

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for files in self.files:
            yield from _records(files, self.labels)


def _records(files: tuple[Path, ...], kind: str) -> Iterator[Record | Rejected]:
    readers = [read_lines(file) for file in files]
    sides = len(files) - (kind != "none")
    for number, lines in enumerate(zip_longest(*readers), start=1):
        if None in lines:
            _refuse_unequal(files, lines, number, readers)
        texts = [decode(file, number, line) for file, line in zip(files, lines, strict=True)]
        if kind == "several" and not lines[-1].strip():
            texts[-1] = ""
        bad = next((text for text in texts if isinstance(text, Rejected)), None)
        if bad:
            yield bad._replace(source=texts[0]) if isinstance(texts[0], str) else bad
            continue
        source, target = (*map(str, texts[:sides]), "")[:2]
        labels = read_labels(texts[-1], kind, source) if kind != "none" else ()
        where = f"{files[0].name}:{number}"
        if isinstance(labels, LabelsError):
            yield Rejected(REASON, where, f"{files[-1]}:{number}: the line {labels.problem}; {REMEDY}", source)
        else:
            yield Record(source, target, "", where, labels=labels)


def _refuse_unequal(
    files: tuple[Path, ...], lines: tuple[bytes | None, ...], number: int, readers: list[Iterator[bytes]]
) -> NoReturn:
    ended = lines.index(None)
    longer = next(side for side, line in enumerate(lines) if line is not None)
    num_lines = number + sum(1 for _ in readers[longer])
    raise StageformerError(
        f"{files[ended]} ends at line {number - 1}, but {files[longer]} has {num_lines} lines; "
        "line N of the one must belong to line N of the other"
    )
