"""A corpus in one Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stageformer.corpus.files import readable
from stageformer.corpus.sources.base import MEND, Record, Rejected
from stageformer.errors import StageformerError, did_you_mean

_ROWS = 8_192


@dataclass(frozen=True)
class ParquetSource:
    """One pair a row with a string column for each side. A group may be of any type that can be written as text."""

    path: Path
    source_column: str
    target_column: str
    group_column: str | None

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs. Raises StageformerError when the file is missing or damaged, or has not these columns."""
        try:
            with readable(self.path), self.path.open("rb") as file:
                yield from self._records(pq.ParquetFile(file))
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0][:200]
            raise StageformerError(f"{self.path}: not a readable Parquet file ({reason}); get it again") from None

    def _records(self, table: pq.ParquetFile) -> Iterator[Record | Rejected]:
        schema = table.schema_arrow
        names = [name for name in (self.source_column, self.target_column, self.group_column) if name is not None]
        for name in names:
            if name not in schema.names:
                hint = did_you_mean(name, schema.names)
                raise StageformerError(f"{self.path}: no column {name!r}{hint}; it has {', '.join(schema.names)}")
        for name in names[:2]:
            kind = schema.field(name).type
            plain = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)):
                raise StageformerError(f"{self.path}: the column {name!r} is of type {kind}, needed string")
        row = 0
        for batch in table.iter_batches(batch_size=_ROWS, columns=list(dict.fromkeys(names))):
            columns = [self._texts(batch.column(name), name, row) for name in names]
            groups = columns[2] if len(columns) > 2 else [""] * batch.num_rows
            for source, target, group in zip(columns[0], columns[1], groups, strict=True):
                row += 1
                where = f"{self.path.name}: row {row}"
                if not (source and source.strip() and target and target.strip()):
                    name = names[1] if source and source.strip() else names[0]
                    message = f"{self.path}: row {row}: the column {name!r} is empty; {MEND}"
                    yield Rejected("empty", where, message, source or "")
                else:
                    yield Record(source, target, group or "", where)

    def _texts(self, column: pa.Array[Any], name: str, row: int) -> list[str | None]:
        try:
            return list(pc.cast(column, pa.string()).to_pylist())
        except UnicodeDecodeError:
            raise StageformerError(
                f"{self.path}: the column {name!r} holds bytes that are not UTF-8 after row {row}; write the file again"
            ) from None
        except pa.ArrowException:
            raise StageformerError(
                f"{self.path}: the column {name!r} is of type {column.type}, which cannot be read as text"
            ) from None
