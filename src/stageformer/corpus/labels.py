"""Labels of sentences: what a field of the corpus means, and the tables of labels beside the sentences."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa

from stageformer.artifacts.tables import SCHEMAS
from stageformer.text.normalisation import normalise

REASON = "label"
"""Why a record is dropped whose labels are not what ``ingest.labels`` says."""


class LabelsError(NamedTuple):
    """What is wrong with the labels of a record: the middle of a message."""

    problem: str


def read_labels(value: object, kind: str, source: str) -> tuple[str, ...] | LabelsError:
    """Return the labels that a field holds, normalised as text is.

    Args:
        value: text, a number or a list of them; ``several`` and ``tags`` in text are separated by white space.
        kind: ``ingest.labels``: ``one``, ``several``, or ``tags``, one for each word of the source.
        source: the sentence; its words are what stands between white space.
    """
    if isinstance(value, list):
        items: Sequence[object] = value
    elif kind == "one":
        items = [value]
    else:
        items = value.split() if isinstance(value, str) else [] if value is None else [value]
    if wrong := [item for item in items if not _is_label(item)]:
        return LabelsError(f"is not a label: {wrong[0]!r:.80}")
    labels = tuple(normalise(_text(item)) for item in items)
    if not all(labels):
        return LabelsError("holds an empty label")
    if kind == "one" and len(labels) != 1:
        return LabelsError(f"holds {len(labels)} labels, needed one (ingest.labels is 'one')")
    if kind == "tags" and len(labels) != (words := len(source.split())):
        return LabelsError(f"holds {len(labels)} tags for the {words} words of the source")
    if kind == "several":
        return tuple(dict.fromkeys(labels))
    return labels


def _is_label(value: object) -> bool:
    return isinstance(value, str | int)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class LabelSpool:
    """Labels on their way to a table, on disk: the sentences that they belong to are written first."""

    def __enter__(self) -> Self:
        """Open the temporary file."""
        self._file = tempfile.TemporaryFile()
        self._writer = pa.ipc.new_stream(self._file, SCHEMAS["labels"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self._file.close()

    def add(self, columns: dict[str, Any]) -> None:
        """Add the ``id`` and the ``labels`` of some rows."""
        arrays = [pa.array(columns[field.name], field.type) for field in SCHEMAS["labels"]]
        self._writer.write_batch(pa.record_batch(arrays, schema=SCHEMAS["labels"]))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in batches; nothing can be added afterwards."""
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)
