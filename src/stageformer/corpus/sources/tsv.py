"""A corpus in files of tab-separated columns, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from stageformer.corpus.files import read_lines
from stageformer.corpus.sources.base import REMEDY, FileSource, Record, Rejected, decode
from stageformer.params.ingest import Files


@dataclass(frozen=True)
class TsvSource(FileSource):
    """One pair per line, no header, no quotes: a tab always separates. Columns are numbered from 1."""

    files: tuple[Path, ...]
    source_column: int
    target_column: int
    group_column: int | None

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Files) -> Self:
        """See :meth:`FileSource.of_files`."""
        group = int(params.group_column) if params.group_column is not None else None
        return cls(tuple(chain(*files)), int(params.source_column), int(params.target_column), group)

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for file in self.files:
            for number, line in enumerate(read_lines(file), start=1):
                text = decode(file, number, line)
                yield text if isinstance(text, Rejected) else self._parse(file, number, text)

    def _parse(self, file: Path, number: int, text: str) -> Record | Rejected:
        where = f"{file.name}:{number}"
        columns = text.split("\t")
        num_columns = max(self.source_column, self.target_column, self.group_column or 1)
        if len(columns) < num_columns:
            message = f"{file}:{number}: found {len(columns)} columns, needed {num_columns}; {REMEDY}"
            return Rejected("missing_field", where, message, text)
        source, target = columns[self.source_column - 1], columns[self.target_column - 1]
        if not source.strip() or not target.strip():
            column = self.target_column if source.strip() else self.source_column
            return Rejected("empty", where, f"{file}:{number}: column {column} is empty; {REMEDY}", source)
        return Record(source, target, columns[self.group_column - 1] if self.group_column else "", where)
