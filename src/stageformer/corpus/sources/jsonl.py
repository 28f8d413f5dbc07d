"""A corpus in files of JSON objects, one per line, plain or gzip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

from stageformer.corpus.files import read_lines
from stageformer.corpus.sources.base import (
    REMEDY,
    FileSource,
    Record,
    Rejected,
    decode,
    did_you_mean_field,
    is_unicode,
)
from stageformer.params.ingest import Files

_MISSING = object()


@dataclass(frozen=True)
class JsonlSource(FileSource):
    """An object per line with a field for each side; other fields are ignored. A group may be text or a whole number.

    A field inside of another has a name with a dot: ``translation.en`` of ``{"translation": {"en": "..."}}``.
    """

    files: tuple[Path, ...]
    source_field: str
    target_field: str
    group_field: str | None

    @classmethod
    def of_files(cls, files: list[list[Path]], params: Files) -> Self:
        """See :meth:`FileSource.of_files`."""
        return cls(tuple(chain(*files)), params.source_column, params.target_column, params.group_column)

    def __iter__(self) -> Iterator[Record | Rejected]:
        """See :meth:`Source.__iter__`."""
        for file in self.files:
            for number, line in enumerate(read_lines(file), start=1):
                text = decode(file, number, line)
                yield text if isinstance(text, Rejected) else self._parse(file, number, text)

    def _parse(self, file: Path, number: int, text: str) -> Record | Rejected:
        place, where = f"{file}:{number}", f"{file.name}:{number}"
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            column = f" at character {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
            return Rejected("not_json", where, f"{place}: not JSON{column}; {REMEDY}", text)
        if not isinstance(values, dict):
            message = f"{place}: needed a JSON object, found {type(values).__name__}; {REMEDY}"
            return Rejected("not_json", where, message, text)
        names = [name for name in (self.source_field, self.target_field, self.group_field) if name is not None]
        fields = [_field(values, name) for name in names]
        for name, value in zip(names, fields, strict=True):
            if value is _MISSING:
                message = f"{place}: no field {name!r}{did_you_mean_field(name, _names(values))}; {REMEDY}"
                return Rejected("missing_field", where, message, text)
        for name, value in zip(names[:2], fields[:2], strict=True):
            if value is None or (isinstance(value, str) and not value.strip()):
                return Rejected("empty", where, f"{place}: the field {name!r} is empty; {REMEDY}", text)
            if not isinstance(value, str):
                message = f"{place}: the field {name!r} is not text: {value!r:.80}; {REMEDY}"
                return Rejected("not_text", where, message, text)
            if not is_unicode(value):
                message = f"{place}: the field {name!r} holds a lone surrogate, which is not a character; {REMEDY}"
                return Rejected("not_utf8", where, message)
        group = fields[2] if len(fields) > 2 and fields[2] is not None else ""
        if not isinstance(group, str | int) or isinstance(group, bool) or not is_unicode(str(group)):
            message = f"{place}: the field {names[2]!r} names no group: {group!r:.80}; {REMEDY}"
            return Rejected("not_text", where, message, text)
        return Record(fields[0], fields[1], str(group), where)


def _field(values: Any, name: str) -> Any:
    """Return the field of that name, in which a dot leads into a field, or ``_MISSING``."""
    if not isinstance(values, dict):
        return _MISSING
    if name in values:
        return values[name]
    outer, dot, inner = name.partition(".")
    return _field(values.get(outer), inner) if dot else _MISSING


def _names(values: dict[str, Any]) -> list[str]:
    """Return the names of all fields, also of those inside of others."""
    inner = [f"{name}.{field}" for name, value in values.items() if isinstance(value, dict) for field in _names(value)]
    return [*values, *inner]
