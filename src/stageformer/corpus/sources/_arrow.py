"""From Arrow tables to records: what Parquet files and the library ``datasets`` have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stageformer.corpus.sources._rows import Columns, Rows
from stageformer.corpus.sources.base import Record, Rejected, did_you_mean_field
from stageformer.errors import StageformerError


class ArrowRows:
    """The columns that are read of tables with one schema. A name with a dot leads into a column that is a struct.

    Args:
        schema: of the tables.
        columns: the columns that are read.
        place: what messages call the tables, such as the path of their file.
        where: the same for reports, without folders.

    Raises:
        StageformerError: a column is not there, or is no text.
    """

    def __init__(self, schema: pa.Schema, columns: Columns, place: str, where: str) -> None:
        self._rows = Rows(columns, lambda name: f"the column {name!r}")
        self._place, self._where = place, where
        fields = _fields(list(schema))
        for name in self._rows.names:
            if name not in fields:
                hint = did_you_mean_field(name, list(fields))
                raise StageformerError(f"{place}: no column {name!r}{hint}; it has {', '.join(fields)}")
        for name in columns.texts:
            kind = fields[name][-1].type
            if not _is_text(kind) and not (columns.labels == "tags" and _is_list(kind) and _is_text(kind.value_type)):
                raise StageformerError(f"{place}: the column {name!r} is of type {kind}, needed string")
        self._ways = {name: fields[name] for name in self._rows.names}
        self.outermost = list(dict.fromkeys(way[0].name for way in self._ways.values()))
        """The names of the columns that the tables must have."""

    def records(self, batches: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[Record | Rejected]:
        """Yield a record for each row. Raises StageformerError for a column that cannot be read as text."""
        row = 0
        for batch in batches:
            columns = []
            for name, (outer, *inner) in self._ways.items():
                column = batch.column(outer.name)
                path = [field.name for field in inner]
                columns.append(self._texts(pc.struct_field(column, path) if path else column, name, row))
            for values in zip(*columns, strict=True):
                row += 1
                yield self._rows.record(values, f"{self._place}: row {row}", f"{self._where}: row {row}")

    def _texts(self, column: Any, name: str, row: int) -> list[Any]:
        kind: pa.DataType = pa.list_(pa.string()) if _is_list(column.type) else pa.string()
        try:
            texts: pa.Array[Any] = pc.cast(column, kind)
            return list(texts.to_pylist())
        except UnicodeDecodeError:
            raise StageformerError(
                f"{self._place}: the column {name!r} holds bytes that are not UTF-8 after row {row}; write it again"
            ) from None
        except pa.ArrowException:
            raise StageformerError(
                f"{self._place}: the column {name!r} is of type {column.type}, which cannot be read as text"
            ) from None


def _fields(fields: list[pa.Field[Any]]) -> dict[str, tuple[pa.Field[Any], ...]]:
    """Return the columns by name, also those inside of others, each with the way that leads to it."""
    found: dict[str, tuple[pa.Field[Any], ...]] = {field.name: (field,) for field in fields}
    for field in fields:
        if pa.types.is_struct(field.type):
            inner = _fields([field.type.field(number) for number in range(field.type.num_fields)])
            for name, way in inner.items():
                found.setdefault(f"{field.name}.{name}", (field, *way))
    return found


def _is_text(kind: Any) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)


def _is_list(kind: Any) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
