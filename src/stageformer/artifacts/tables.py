"""Tables: Parquet with an explicit schema per kind, streamed by row group.

This module does not import torch: ``ingest``, ``tokenize`` and ``vocab`` use only tables.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stageformer.artifacts.contents import Contents
from stageformer.artifacts.files import atomic_file, first_line
from stageformer.artifacts.header import SCHEMA_VERSION, check_header, damage_hint, rerun_hint
from stageformer.artifacts.made_with import Parts, check_made_with, made_with
from stageformer.artifacts.reading import check_regular
from stageformer.errors import StageformerError

T = TypeVar("T")

ROWS_PER_GROUP = 16_384

_STRINGS = pa.list_(pa.field("element", pa.string()))
_IDS = pa.list_(pa.field("element", pa.int32()))
_FLOATS = pa.list_(pa.field("element", pa.float32()))


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(columns)


SCHEMAS: dict[str, pa.Schema] = {
    "sentences": _schema(id=pa.int64(), source=pa.string(), target=pa.string(), references=_STRINGS, group=pa.string()),
    "labels": _schema(id=pa.int64(), labels=_STRINGS),
    "tokens": _schema(id=pa.int64(), source_tokens=_STRINGS, target_tokens=_STRINGS),
    "ids": _schema(id=pa.int64(), source_ids=_IDS, target_ids=_IDS),
    "vocabulary": _schema(token=pa.string(), id=pa.int32(), count=pa.int64()),
    "lookup": _schema(
        id=pa.int64(),
        side=pa.string(),
        token=pa.string(),
        count=pa.int64(),
        word=pa.string(),
        origin=pa.string(),
        nearest=_STRINGS,
    ),
    "answers": _schema(id=pa.int64(), key=pa.string(), text=pa.string(), vector=_FLOATS),
    "hypotheses": _schema(
        id=pa.int64(),
        beam_ids=_IDS,
        beam_score=pa.float64(),
        beam_log_probability=pa.float64(),
        greedy_ids=_IDS,
        target_log_probability=pa.float64(),
    ),
    "translations": _schema(
        id=pa.int64(),
        source=pa.string(),
        references=_STRINGS,
        translation=pa.string(),
        greedy=pa.string(),
        score=pa.float32(),
        bleu=pa.float32(),
        chrf=pa.float32(),
        exact_match=pa.bool_(),
    ),
    "predictions": _schema(id=pa.int64(), labels=_STRINGS, predicted=_STRINGS, probabilities=_FLOATS),
}
"""The schema of each kind of table."""


def write_table(
    path: Path, kind: str, batches: Iterable[Mapping[str, Any] | pa.RecordBatch], parts: Parts | None = None
) -> int:
    """Stream ``batches`` (mappings of column name to values, or record batches) into a Parquet table.

    Rows are regrouped into row groups of ``ROWS_PER_GROUP``, whatever the sizes of the batches, so that the bytes
    depend on the rows alone and memory does not grow with the table. What it was made with, ``parts``, goes into its
    header.

    Returns:
        The number of rows.

    Raises:
        StageformerError: the file cannot be written; see :func:`~stageformer.artifacts.files.atomic_file`.
    """
    header: dict[str, Any] = {"kind": kind, "schema_version": SCHEMA_VERSION}
    if parts:
        header["made_with"] = made_with(parts)
    schema = SCHEMAS[kind].with_metadata({"stageformer": json.dumps(header)})
    rows = 0
    with (
        atomic_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=3, write_page_checksum=True) as writer,
    ):
        pending: list[pa.RecordBatch] = []
        num_pending = 0

        def write_group() -> None:
            table = pa.Table.from_batches(pending, schema).combine_chunks()
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)

        for batch in batches:
            if not isinstance(batch, pa.RecordBatch):
                batch = pa.record_batch([pa.array(batch[f.name], f.type) for f in schema], schema=schema)
            batch = batch.cast(schema) if batch.schema != schema else batch
            start = 0
            while start < batch.num_rows:
                part = batch.slice(start, ROWS_PER_GROUP - num_pending)
                pending.append(part)
                num_pending += part.num_rows
                start += part.num_rows
                if num_pending == ROWS_PER_GROUP:
                    write_group()
                    rows += num_pending
                    pending, num_pending = [], 0
        if num_pending or rows == 0:
            write_group()
            rows += num_pending
    return rows


class Counts(Protocol):
    """What is counted while a table is made; the counts of a table are the sum of those of its parts."""

    def add(self, other: Self) -> None:
        """Add the counts of the next part to these."""


C = TypeVar("C", bound=Counts)


def write_parts(
    path: Path, kind: str, parts: Iterable[tuple[Mapping[str, Any], C]], total: C, others: Parts | None = None
) -> int:
    """Stream the rows of ``parts`` into a Parquet table, and add their counts up, in the order of the parts.

    Args:
        path: of the table
        kind: of the table
        parts: of each part, its columns and its counts
        total: what the counts are added to
        others: what the table is made with

    Returns:
        The number of rows.

    Raises:
        StageformerError: the disk is full.
    """

    def rows() -> Iterator[Mapping[str, Any]]:
        for columns, counts in parts:
            total.add(counts)
            yield columns

    return write_table(path, kind, rows(), others)


def check_table(path: Path, kind: str, parts: Parts) -> None:
    """Check that a table belongs to other artifacts.

    Raises:
        StageformerError: as :func:`open_table` and :func:`~stageformer.artifacts.made_with.check_made_with`.
    """
    with open_table(path, kind) as file:
        check_made_with(path, describe_table(file), parts)


def open_table(path: Path, kind: str | None = None) -> pq.ParquetFile:
    """Open a table of the given kind (any, if None), after a check of its kind, version and schema.

    Raises:
        StageformerError: there is no such file, it is cut off or not Parquet, or it is another kind of table.
    """
    hint = rerun_hint(kind or "")
    check_regular(path)
    try:
        file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
    except FileNotFoundError:
        what = f"a table of kind {kind!r}" if kind else "a table"
        raise StageformerError(f"{path}: no such file; it should be {what}{hint}") from None
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "not a readable Parquet file", error, damage_hint(kind or "")) from None
    found = describe_table(file)
    check_header(path, found, kind)
    if found["kind"] not in SCHEMAS:
        raise StageformerError(f"{path}: its kind {found['kind']!r} is unknown; known are {', '.join(SCHEMAS)}")
    schema = SCHEMAS[found["kind"]]
    if not file.schema_arrow.equals(schema):
        columns = ", ".join(f"{f.name}: {f.type}" for f in file.schema_arrow)
        wanted = ", ".join(f"{f.name}: {f.type}" for f in schema)
        raise StageformerError(f"{path}: found the columns ({columns}), needed ({wanted}){hint}")
    return file


def describe_table(file: pq.ParquetFile) -> dict[str, Any]:
    """Return the header that :func:`write_table` stored (``kind``, ``schema_version``), or ``{}`` in a foreign file."""
    header = (file.schema_arrow.metadata or {}).get(b"stageformer", b"{}")
    try:
        found = json.loads(header)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def read_batches(path: Path, kind: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Read a table in record batches of at most ``ROWS_PER_GROUP`` rows. Raises StageformerError as `read_table`."""
    file = open_table(path, kind)
    batches = file.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns)
    contents = Contents(file, path, kind)
    while (batch := _undamaged(path, kind, lambda: next(batches, None))) is not None:
        contents.check(batch)
        yield batch


def read_table(path: Path, kind: str, columns: list[str] | None = None) -> pa.Table:
    """Read a whole table into memory.

    Raises:
        StageformerError: as :func:`open_table`; a page does not match its checksum; or as :class:`Contents`.
    """
    return read_whole(open_table(path, kind), path, kind, columns)


def read_whole(file: pq.ParquetFile, path: Path, kind: str, columns: list[str] | None = None) -> pa.Table:
    """Read a table that was opened, from ``path`` as messages say. Raises StageformerError as :func:`read_table`."""
    table: pa.Table = _undamaged(path, kind, lambda: file.read(columns=columns))
    contents = Contents(file, path, kind)
    for batch in table.to_batches():
        contents.check(batch)
    return table


@contextlib.contextmanager
def decoded(path: Path, kind: str) -> Iterator[None]:
    """Turn strings of a table into Python's within this block. Raises StageformerError when they are not UTF-8."""
    try:
        yield
    except UnicodeDecodeError:
        raise StageformerError(f"{path}: holds text that is not UTF-8{rerun_hint(kind)}") from None


def _undamaged(path: Path, kind: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "damaged", error, damage_hint(kind)) from None


def _unreadable(path: Path, what: str, error: Exception, hint: str) -> StageformerError:
    reason = first_line(error)
    if "Cannot allocate memory" in reason:
        return StageformerError(f"{path}: there is not enough memory to read it")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return StageformerError(f"{path}: cannot be read: {os.strerror(error.errno).lower()}")
    return StageformerError(f"{path}: {what} ({reason}){hint}")
