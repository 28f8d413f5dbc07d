"""What the rows of every table must be, checked as they are read. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stageformer.artifacts.header import rerun_hint
from stageformer.errors import StageformerError


class Contents:
    """The rule for the rows of every table, checked as they are read: its columns are what their types promise.

    There are no nulls, neither as values nor in lists; text is UTF-8 and numbers are finite; no sentence lacks
    references or ids; no id is there twice. What is checked is what is read: the columns asked for, up to the row where
    the reader stops.

    The text of ``tokens`` is left to :func:`~stageformer.artifacts.tables.decoded`: there are many strings, of which
    few are distinct.
    """

    def __init__(self, file: pq.ParquetFile, path: Path, kind: str) -> None:
        self._file = file
        self._path = path
        self._kind = kind
        self._row = 0
        self._last_id: int | None = None
        self._known_unique = False

    def check(self, batch: pa.RecordBatch) -> None:
        """Check the next rows of the table.

        Raises:
            StageformerError: it names the first row and the column that break the rule.
        """
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            self._check_no_null(name, column)
            if pa.types.is_list(column.type):
                self._check_list(name, column)
            text = column.type.value_type if pa.types.is_list(column.type) else column.type
            if self._kind != "tokens" and text == pa.string() and not _is_utf8(column):
                raise self._error(f"{name} holds text that is not UTF-8")
            if pa.types.is_floating(text) and not _is_finite(column):
                raise self._error(f"{name} holds a number that is not finite (NaN or infinite)")
            if name == "id" and not self._known_unique:
                self._check_ids(column.to_numpy())
        self._row += len(batch)

    def _check_no_null(self, name: str, column: Any) -> None:
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise self._error(f"{name} of row {self._row + row} is null")

    def _check_list(self, name: str, column: Any) -> None:
        offsets = column.offsets.to_numpy()
        if name in _NEVER_EMPTY and len(column) and (lengths := np.diff(offsets)).min() == 0:
            raise self._error(f"{name} of row {self._row + int(lengths.argmin())} is an empty list")
        values = column.flatten()
        if values.null_count:
            place = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0]) + offsets[0]
            row = int(np.searchsorted(offsets, place, side="right")) - 1
            raise self._error(f"{name} of row {self._row + row} holds a null")

    def _check_ids(self, ids: npt.NDArray[np.integer[Any]]) -> None:
        """Ids rise in every table that we write, so that a look at each neighbour is enough; or else all are sorted."""
        if not len(ids):
            return
        if (self._last_id is None or self._last_id < ids[0]) and bool((np.diff(ids) > 0).all()):
            self._last_id = int(ids[-1])
            return
        ordered = np.sort(self._file.read(columns=["id"])["id"].to_numpy())
        twice = np.flatnonzero(np.diff(ordered) == 0)
        if len(twice):
            raise self._error(f"the id {ordered[twice[0]]} is there twice")
        self._known_unique = True

    def _error(self, what: str) -> StageformerError:
        return StageformerError(f"{self._path}: {what}{rerun_hint(self._kind)}")


def _is_finite(column: Any) -> bool:
    """Whether no number of a column of numbers, or of lists of numbers, is NaN or infinite; there are no nulls."""
    values = column.flatten() if pa.types.is_list(column.type) else column
    return bool(np.isfinite(values.to_numpy(zero_copy_only=False)).all())


_NEVER_EMPTY = ("references", "source_ids", "target_ids")


def _is_utf8(column: Any) -> bool:
    """Whether the text of a column of strings, or of lists of strings, is UTF-8.

    All its bytes are checked as one long string, which is ten times as fast as string by string, and so is a look at
    whether they are ASCII only. Then no string may begin within a character.
    """
    *_, offsets, data = column.buffers()
    if data is None:
        return True
    content = np.frombuffer(data, dtype=np.uint8)
    words = content[: len(content) // 8 * 8].view(np.uint64)
    if not (int(np.bitwise_or.reduce(words)) & _HIGH_BITS) and not (content[8 * len(words) :] & 0x80).any():
        return True
    one = pa.py_buffer(np.array([0, len(content)], dtype=np.int32).tobytes())
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, one, data]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    starts = np.frombuffer(offsets, dtype=np.int32)
    return not ((content[starts[starts < len(content)]] & 0xC0) == 0x80).any()


_HIGH_BITS = 0x8080808080808080
