"""A corpus in one file of tab-separated columns, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stageformer.corpus.files import decode, read_lines
from stageformer.corpus.sources.base import MEND, Record, Rejected


@dataclass(frozen=True)
class TsvSource:
    """One pair a line, no header, no quotes: a tab always separates. Columns are numbered from 1."""

    path: Path
    source_column: int
    target_column: int
    group_column: int | None

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs. Raises StageformerError when the file is missing or damaged."""
        source_index, target_index = self.source_column - 1, self.target_column - 1
        group_index = self.group_column - 1 if self.group_column else None
        num_columns = max(self.source_column, self.target_column, self.group_column or 1)
        for number, line in enumerate(read_lines(self.path), start=1):
            text = decode(self.path, number, line)
            if isinstance(text, Rejected):
                yield text
                continue
            where = f"{self.path.name}:{number}"
            columns = text.split("\t")
            if len(columns) < num_columns:
                message = f"{self.path}:{number}: found {len(columns)} columns, needed {num_columns}; {MEND}"
                yield Rejected("missing_field", where, message, text)
                continue
            source, target = columns[source_index], columns[target_index]
            if not source.strip() or not target.strip():
                column = self.target_column if source.strip() else self.source_column
                yield Rejected("empty", where, f"{self.path}:{number}: column {column} is empty; {MEND}", source)
                continue
            yield Record(source, target, columns[group_index] if group_index is not None else "", where)
