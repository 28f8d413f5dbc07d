"""A corpus in files of JSON objects, one per line, plain or compressed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self

from stageformer.corpus.sources._rows import MISSING, Columns, Rows, field_of, names_in
from stageformer.corpus.sources.base import REMEDY, LineSource, Record, Rejected, did_you_mean_field
from stageformer.params.ingest import Ingest


@dataclass(frozen=True)
class JsonlSource(LineSource):
    """An object per line with a field for each side; other fields are ignored. A group may be text or a whole number.

    A field inside of another has a name with a dot: ``translation.en`` of ``{"translation": {"en": "..."}}``.
    """

    files: tuple[Path, ...]
    columns: Columns

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Ingest) -> Self:
        """See :meth:`FileSource.of_files`."""
        return cls(tuple(chain(*files)), Columns.of(params))

    def reader(self, file: Path, lines: Iterator[tuple[int, bytes]]) -> Callable[[int, str], Record | Rejected]:
        """See :meth:`LineSource.reader`."""
        return partial(_record, file, Rows(self.columns, lambda name: f"the field {name!r}"))


def _record(file: Path, rows: Rows, number: int, text: str) -> Record | Rejected:
    place, where = f"{file}:{number}", f"{file.name}:{number}"
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        column = f" at character {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        return Rejected("not_json", where, f"{place}: not JSON{column}; {REMEDY}", text)
    if not isinstance(values, dict):
        message = f"{place}: needed a JSON object, found {type(values).__name__}; {REMEDY}"
        return Rejected("not_json", where, message, text)
    fields = [field_of(values, name) for name in rows.names]
    for name, value in zip(rows.names, fields, strict=True):
        if value is MISSING:
            message = f"{place}: no field {name!r}{did_you_mean_field(name, names_in(values))}; {REMEDY}"
            return Rejected("missing_field", where, message, text)
    return rows.record(fields, place, where, text)
