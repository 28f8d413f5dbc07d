"""A corpus in line-aligned text files, one for each side, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self

from stageformer.corpus.files import read_lines
from stageformer.corpus.sources.base import FileSource, Record, Rejected, decode
from stageformer.errors import StageformerError
from stageformer.params.ingest import Files


@dataclass(frozen=True)
class LinesSource(FileSource):
    """Line N of a file is the translation of line N of its counterpart."""

    files: tuple[tuple[Path, Path], ...]
    """Each file of the source with that of the target."""

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Files) -> Self:
        """See :meth:`FileSource.of_files`. Raises StageformerError unless both sides have as many files."""
        sources, targets = files
        if len(sources) != len(targets):
            raise StageformerError(
                f"{sources[0]} and so on are {len(sources)} files, but {targets[0]} and so on are {len(targets)}; "
                "each file of the source needs one of the target; see ingest.files"
            )
        return cls(tuple(zip(sources, targets, strict=True)))

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for source, target in self.files:
            yield from _pairs(source, target)


def _pairs(source_file: Path, target_file: Path) -> Iterator[Record | Rejected]:
    target_lines = read_lines(target_file)
    source_lines = read_lines(source_file)
    for number, (source_line, target_line) in enumerate(zip_longest(source_lines, target_lines), start=1):
        if source_line is None or target_line is None:
            longer, rest = (target_file, target_lines) if source_line is None else (source_file, source_lines)
            shorter = source_file if source_line is None else target_file
            num_lines = number + sum(1 for _ in rest)
            raise StageformerError(
                f"{shorter} ends at line {number - 1}, but {longer} has {num_lines} lines; "
                "line N of the one must be the translation of line N of the other"
            )
        source = decode(source_file, number, source_line)
        target = decode(target_file, number, target_line)
        if isinstance(source, Rejected):
            yield source
        elif isinstance(target, Rejected):
            yield target._replace(source=source)
        else:
            yield Record(source, target, "", f"{source_file.name}:{number}")
