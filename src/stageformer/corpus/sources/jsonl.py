"""A corpus in one file of JSON objects, one a line, plain or gzip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stageformer.corpus.files import decode, read_lines
from stageformer.corpus.sources.base import MEND, Record, Rejected, is_unicode
from stageformer.errors import did_you_mean


@dataclass(frozen=True)
class JsonlSource:
    """One object a line with a field for each side; other fields are ignored. A group may be text or a whole number."""

    path: Path
    source_field: str
    target_field: str
    group_field: str | None

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs. Raises StageformerError when the file is missing or damaged."""
        for number, line in enumerate(read_lines(self.path), start=1):
            text = decode(self.path, number, line)
            yield text if isinstance(text, Rejected) else self._parse(number, text)

    def _parse(self, number: int, text: str) -> Record | Rejected:
        place, where = f"{self.path}:{number}", f"{self.path.name}:{number}"
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            column = f" at character {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
            return Rejected("not_json", where, f"{place}: not JSON{column}; {MEND}", text)
        if not isinstance(values, dict):
            message = f"{place}: needed a JSON object, found {type(values).__name__}; {MEND}"
            return Rejected("not_json", where, message, text)
        for name in (self.source_field, self.target_field, self.group_field):
            if name is not None and name not in values:
                message = f"{place}: no field {name!r}{did_you_mean(name, values)}; {MEND}"
                return Rejected("missing_field", where, message, text)
        for name in (self.source_field, self.target_field):
            value = values[name]
            if value is None or (isinstance(value, str) and not value.strip()):
                return Rejected("empty", where, f"{place}: the field {name!r} is empty; {MEND}", text)
            if not isinstance(value, str):
                message = f"{place}: the field {name!r} is no text: {value!r:.80}; {MEND}"
                return Rejected("not_text", where, message, text)
            if not is_unicode(value):
                message = f"{place}: the field {name!r} holds a lone surrogate, which is no character; {MEND}"
                return Rejected("not_utf8", where, message)
        group = values[self.group_field] if self.group_field is not None else None
        if group is None:
            group = ""
        if not isinstance(group, str | int) or isinstance(group, bool) or not is_unicode(str(group)):
            message = f"{place}: the field {self.group_field!r} names no group: {group!r:.80}; {MEND}"
            return Rejected("not_text", where, message, text)
        return Record(values[self.source_field], values[self.target_field], str(group), where)
