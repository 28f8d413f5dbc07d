"""From the named fields of a row to a record: what the formats with columns have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stageformer.console.output import is_unicode
from stageformer.corpus.labels import REASON, LabelsError, read_labels
from stageformer.corpus.sources.base import REMEDY, Record, Rejected
from stageformer.params.ingest import Ingest

MISSING = object()
"""Stands for a field that a row lacks."""


class Columns(NamedTuple):
    """The columns that are read, by name or number."""

    source: str
    target: str | None = None
    """None: the corpus has one side alone."""
    group: str | None = None
    label: str | None = None
    labels: str = "none"
    """What the labels are, as ``ingest.labels``."""

    @classmethod
    def of(cls, params: Ingest) -> Columns:
        """Return the columns that the parameters name."""
        files = params.files
        return cls(files.source_column, files.target_column, files.group_column, files.label_column, params.labels)

    @property
    def texts(self) -> list[str]:
        """The columns that hold text."""
        return [name for name in (self.source, self.target) if name is not None]

    @property
    def names(self) -> list[str]:
        """All columns, in the order in which :class:`Rows` wants their values."""
        return [*self.texts, *(name for name in (self.label, self.group) if name is not None)]


class Rows:
    """Makes records of rows.

    Args:
        columns: the columns that are read.
        describe: what a message calls a column, such as ``the field 'de'``.
    """

    def __init__(self, columns: Columns, describe: Callable[[str], str]) -> None:
        self.columns = columns
        self.names = columns.names
        self._texts = columns.texts
        self._describe = describe

    def record(self, values: Sequence[Any], place: str, where: str, shown: str | None = None) -> Record | Rejected:
        """Return the record of a row.

        Args:
            values: of the columns ``names``.
            place: file and row, for messages.
            where: the same without folders, for reports.
            shown: what a report shows of a rejected row; None: its source.
        """
        if self.columns.labels == "tags" and isinstance(values[0], list) and all(map(_is_word, values[0])):
            values = [" ".join(values[0]), *values[1:]]  # the words, already apart
        for name, value in zip(self._texts, values, strict=False):
            if isinstance(value, str) and value.strip():
                if is_unicode(value):
                    continue
                problem = f"{place}: {self._describe(name)} holds a lone surrogate, which is not a character; {REMEDY}"
                return Rejected("not_utf8", where, problem)
            if shown is None:
                shown = values[0] if isinstance(values[0], str) else ""
            if value is None or isinstance(value, str):
                return Rejected("empty", where, f"{place}: {self._describe(name)} is empty; {REMEDY}", shown)
            message = f"{place}: {self._describe(name)} is not text: {value!r:.80}; {REMEDY}"
            return Rejected("not_text", where, message, shown)
        target = values[1] if self.columns.target is not None else ""
        labels: tuple[str, ...] = ()
        if self.columns.label is not None:
            found = read_labels(values[len(self._texts)], self.columns.labels, values[0])
            if isinstance(found, LabelsError) or not all(map(is_unicode, found)):
                problem = found.problem if isinstance(found, LabelsError) else "holds a lone surrogate"
                message = f"{place}: {self._describe(self.columns.label)} {problem}; {REMEDY}"
                return Rejected(REASON, where, message, shown or values[0])
            labels = found
        if self.columns.group is None:
            return Record(values[0], target, "", where, labels=labels)
        group = values[-1]
        if group is None:
            group = ""
        if not isinstance(group, str | int) or isinstance(group, bool) or not is_unicode(str(group)):
            message = f"{place}: {self._describe(self.columns.group)} names no group: {group!r:.80}; {REMEDY}"
            return Rejected("not_text", where, message, shown or values[0])
        return Record(values[0], target, str(group), where, labels=labels)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def field_of(values: Any, name: str) -> Any:
    """Return the field of that name, in which a dot leads into a field, or ``MISSING``."""
    if not isinstance(values, dict):
        return MISSING
    if name in values:
        return values[name]
    outer, dot, inner = name.partition(".")
    return field_of(values.get(outer), inner) if dot else MISSING


def names_in(values: dict[str, Any]) -> list[str]:
    """Return the names of all fields, also of those inside of others."""
    inner = [f"{name}.{key}" for name, value in values.items() if isinstance(value, dict) for key in names_in(value)]
    return [*values, *inner]
