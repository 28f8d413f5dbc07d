"""A corpus in files of tab-separated columns, plain or compressed, with or without a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Self

from stageformer.corpus.sources._rows import Columns, Rows
from stageformer.corpus.sources.base import REMEDY, LineSource, Record, Rejected, decode
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.ingest import Ingest


@dataclass(frozen=True)
class TsvSource(LineSource):
    """One record per line, no quotes: a tab always separates. Columns are numbered from 1, or named by a header."""

    files: tuple[Path, ...]
    columns: Columns
    header: bool = False
    """The first line of each file names its columns."""

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """See :meth:`FileSource.of_files`."""
        return cls(tuple(chain(*files)), Columns.of(params), params.files.header)

    def reader(self, file: Path, lines: Iterator[tuple[int, bytes]]) -> Callable[[int, str], Record | Rejected]:
        """See :meth:`LineSource.reader`. Raises StageformerError when the header lacks a column."""
        rows = Rows(self.columns, lambda name: f"column {name}")
        names = _header(file, lines) if self.header else []
        places = [_place(file, name, names) for name in rows.names] if self.header else [int(n) - 1 for n in rows.names]
        num_columns = max(places) + 1
        values_of = itemgetter(*places) if len(places) > 1 else lambda columns: (columns[places[0]],)

        def record_of(number: int, text: str) -> Record | Rejected:
            columns = text.split("\t")
            where = f"{file.name}:{number}"
            if len(columns) < num_columns:
                message = f"{file}:{number}: found {len(columns)} columns, needed {num_columns}; {REMEDY}"
                return Rejected("missing_field", where, message, text)
            return rows.record(values_of(columns), f"{file}:{number}", where)

        return record_of


def _header(file: Path, lines: Iterator[tuple[int, bytes]]) -> list[str]:
    for number, line in lines:
        header = decode(file, number, line)
        if isinstance(header, Rejected):
            raise StageformerError(str(header.message).partition(";")[0])
        return [name.strip() for name in header.split("\t")]
    return []


def _place(file: Path, name: str, names: list[str]) -> int:
    """Return where a column is. A number counts from 1 here, too, unless the header has it as a name."""
    if name in names:
        return names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise StageformerError(
        f"{file}: no column {name!r}{did_you_mean(name, names)}; its first line names {', '.join(names) or 'none'}"
    )
