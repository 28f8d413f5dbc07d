"""A corpus in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stageformer.corpus.files import readable
from stageformer.corpus.sources._rows import Columns, Rows
from stageformer.corpus.sources.base import FileSource, Record, Rejected, did_you_mean_field
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest

_ROWS = 8_192


@dataclass(frozen=True)
class ParquetSource(FileSource):
    """A pair per row with a string column for each side. A group may be of any type that can be written as text.

    A column inside of another has a name with a dot: ``translation.en`` of a column ``translation`` that is a struct.
    """

    files: tuple[Path, ...]
    columns: Columns

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """See :meth:`FileSource.of_files`."""
        return cls(tuple(chain(*files)), Columns.of(params))

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for path in self.files:
            try:
                with readable(path), path.open("rb") as file:
                    yield from self._records(path, pq.ParquetFile(file))
            except pa.ArrowException as error:
                reason = str(error).splitlines()[0][:200]
                raise StageformerError(f"{path}: not a readable Parquet file ({reason}); copy it again") from None

    def _records(self, path: Path, table: pq.ParquetFile) -> Iterator[Record | Rejected]:
        rows = Rows(self.columns, lambda name: f"the column {name!r}")
        names = rows.names
        fields = _fields(list(table.schema_arrow))
        for name in names:
            if name not in fields:
                hint = did_you_mean_field(name, list(fields))
                raise StageformerError(f"{path}: no column {name!r}{hint}; it has {', '.join(fields)}")
        for name in self.columns.texts:
            kind = fields[name][-1].type
            plain = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)):
                raise StageformerError(f"{path}: the column {name!r} is of type {kind}, needed string")
        row = 0
        outermost = list(dict.fromkeys(fields[name][0].name for name in names))
        for batch in table.iter_batches(batch_size=_ROWS, columns=outermost):
            columns = []
            for name in names:
                outer, *inner = (field.name for field in fields[name])
                column = pc.struct_field(batch.column(outer), inner) if inner else batch.column(outer)
                columns.append(_texts(path, column, name, row))
            for values in zip(*columns, strict=True):
                row += 1
                yield rows.record(values, f"{path}: row {row}", f"{path.name}: row {row}")


def _fields(fields: list[pa.Field[Any]]) -> dict[str, tuple[pa.Field[Any], ...]]:
    """Return the columns by name, also those inside of others, each with the way that leads to it."""
    found: dict[str, tuple[pa.Field[Any], ...]] = {field.name: (field,) for field in fields}
    for field in fields:
        if pa.types.is_struct(field.type):
            inner = _fields([field.type.field(number) for number in range(field.type.num_fields)])
            for name, way in inner.items():
                found.setdefault(f"{field.name}.{name}", (field, *way))
    return found


def _texts(path: Path, column: pa.Array[Any], name: str, row: int) -> list[Any]:
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    try:
        kind: pa.DataType = pa.list_(pa.string()) if is_list else pa.string()
        texts: pa.Array[Any] = pc.cast(column, kind)
        return list(texts.to_pylist())
    except UnicodeDecodeError:
        raise StageformerError(
            f"{path}: the column {name!r} holds bytes that are not UTF-8 after row {row}; write the file again"
        ) from None
    except pa.ArrowException:
        raise StageformerError(
            f"{path}: the column {name!r} is of type {column.type}, which cannot be read as text"
        ) from None
