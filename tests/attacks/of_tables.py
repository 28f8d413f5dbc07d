"""Tables with a right header and wrong rows, tables of others, and damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import bytes_of, column, table, write

Users = list[tuple[str, ...]]
TABLES: dict[str, tuple[dict[str, str], Users]] = {
    "data/ingest/train.parquet": (
        {"id": "number", "source": "text", "target": "text"},
        [("stages.tokenize",), ("show", "data/ingest/train.parquet")],
    ),
    "data/ingest/test.parquet": (
        {"id": "number", "source": "text", "references": "texts"}, [("stages.evaluate",), ("report",)],
    ),
    "data/tokenize/train.parquet": (
        {"id": "number", "source_tokens": "texts", "target_tokens": "texts"},
        [("stages.vocab",), ("show", "data/tokenize/train.parquet")],
    ),
    "data/vocab/train.parquet": (
        {"id": "number", "source_ids": "numbers", "target_ids": "numbers"},
        [("stages.train_encoder",), ("stages.encode",), ("similar", "one")],
    ),
    "data/vocab/vocabulary.parquet": (
        {"id": "number", "token": "text", "count": "number"},
        [("translate", "one"), ("stages.embed",), ("nearest", "▁one")],
    ),
    "data/translate/hypotheses.parquet": (
        {"id": "number", "beam_ids": "numbers", "beam_score": "score", "target_log_probability": "score"},
        [("stages.evaluate",), ("show", "data/translate/hypotheses.parquet")],
    ),
    "data/evaluate/translations.parquet": (
        {"id": "number", "references": "texts", "translation": "text", "score": "score", "bleu": "score"},
        [("summary",), ("report",), ("show", "data/evaluate/translations.parquet")],
    ),
}  # fmt: skip
"""The tables, some of their columns, and who reads them."""


NOT_READ = {
    ("similar", "source_ids"), ("similar", "target_ids"), ("stages.encode", "target_ids"),
    ("stages.vocab", "target_tokens"),  # a corpus may have one side alone
}  # fmt: skip
"""Columns of a table that a command has no use for, or that may be empty."""


MEANT = {("count", "the same twice"), ("beam_ids", "empty lists")}
"""Two tokens may be as frequent, and a translation may be empty."""


def _first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value, *values[1:]]


VALUES: dict[str, dict[str, Callable[[list[Any]], list[Any]]]] = {
    "number": {
        "a null": _first(None), "all null": lambda values: [None] * len(values),
        "the same twice": lambda values: [values[1], *values[1:]], "below zero": _first(-1),
        "above all": _first(2**31 - 1),
    },
    "score": {
        "a null": _first(None), "NaN": _first(float("nan")), "infinity": _first(float("inf")),
        "a huge number": _first(1e38),
    },
    "text": {
        "a null": _first(None), "escapes": _first("\x1b[31mred\nforged"), "a long word": _first("x" * 10_000),
        "no text": lambda values: [""] * len(values),
    },
    "texts": {
        "a null": _first(None), "a null in a list": _first([None]), "empty lists": lambda values: [[]] * len(values),
        "a long list": _first(["x"] * 1000),
    },
    "numbers": {
        "a null": _first(None), "a null in a list": _first([None]), "empty lists": lambda values: [[]] * len(values),
        "unknown ids": _first([10**6] * 3), "ids below zero": _first([-1] * 3),
        "a long list": _first([5] * 10**6),
    },
}  # fmt: skip

LENIENT = ("show", "report", "summary")
"""Commands that describe what they find, and say what they do not."""
HARMLESS = ("escapes", "a long word", "no text", "a long list", "below zero", "above all", "a huge number")
"""Values that a table may hold: what reads them must not fall over, and what it makes of them is its own business."""


def _not_utf8(path: str, name: str) -> Callable[[Path], None]:
    """Put bytes that are not UTF-8 into a column of text, as other writers do."""

    def change(before: pa.Table) -> pa.Table:
        field = before.schema.field(name)
        rows = before[name].to_pylist()
        if pa.types.is_list(field.type):
            flat = [part.encode() for row in rows for part in row] or [b""]
            flat[0] = b"\xff\xfe"
            lengths = [0, *[len(row) for row in rows]]
            offsets = pa.array([sum(lengths[: end + 1]) for end in range(len(lengths))], pa.int32())
            values = pa.ListArray.from_arrays(offsets, _strings(flat))
            values = values.cast(pa.list_(pa.field("element", pa.string())))
        else:
            values = _strings([b"\xff\xfe", *[text.encode() for text in rows[1:]]])
        return before.set_column(before.schema.get_field_index(name), field.with_nullable(True), values)

    return table(path, change)


def _strings(values: list[bytes]) -> pa.Array:
    binary = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())


def _schema(change: Callable[[pa.Table], pa.Table]) -> Callable[[str], Callable[[Path], None]]:
    return lambda path: table(path, change)


def _header(content: object) -> Callable[[str], Callable[[Path], None]]:
    """Return what replaces the header by JSON, or by a text that is none."""

    def of(path: str) -> Callable[[Path], None]:
        def prepare(root: Path) -> None:
            before = pq.read_table(root / path)
            kept = json.loads(before.schema.metadata[b"stageformer"])
            text = content(kept) if callable(content) else content
            text = text if isinstance(text, str) else json.dumps(text)
            pq.write_table(before.replace_schema_metadata({"stageformer": text}), root / path)

        return prepare

    return of


WHOLE: dict[str, Callable[[str], Callable[[Path], None]]] = {
    "no rows": _schema(lambda t: t.slice(0, 0)),
    "a column less": _schema(lambda t: t.drop_columns([t.column_names[-1]])),
    "a column more": _schema(lambda t: t.append_column("more", pa.array(range(len(t))))),
    "a column twice": _schema(lambda t: t.append_column(t.column_names[-1], t[t.column_names[-1]])),
    "columns in another order": _schema(lambda t: t.select(t.column_names[::-1])),
    "a column of another name": _schema(lambda t: t.rename_columns(["\x1b[31mRED\nsecond", *t.column_names[1:]])),
    "a column of another type": _schema(
        lambda t: t.set_column(0, t.column_names[0], pa.array([str(i) for i in range(len(t))]))
    ),
    "no header": lambda path: lambda root: pq.write_table(
        pq.read_table(root / path).replace_schema_metadata(None), root / path
    ),
    "an empty header": _header({}), "a header that is no JSON": _header("{"), "a header that is a list": _header("[1]"),
    "a deep header": _header("[" * 100_000), "a header of digits": _header('{"kind": ' + "9" * 5000 + "}"),
    "a kind that is a list": _header(lambda kept: kept | {"kind": []}),
    "another kind": _header(lambda kept: kept | {"kind": "answers"}),
    "an unknown kind": _header(lambda kept: kept | {"kind": "\x1b[31m"}),
    "another version": _header(lambda kept: kept | {"schema_version": 2}),
    "a version that is text": _header(lambda kept: kept | {"schema_version": "\x1b[31mRED\nsecond line"}),
    "made with numbers": _header(lambda kept: kept | {"made_with": {"tokenizer": 3, "vocabulary": [[]]}}),
    "made with a text": _header(lambda kept: kept | {"made_with": "x"}),
    "cut off": lambda path: bytes_of(path, lambda data: data[: len(data) // 2]),
    "without its end": lambda path: bytes_of(path, lambda data: data[:-9]),
    "text": lambda path: write(path, "a text\n"),
    "zeros": lambda path: write(path, bytes(10_000)),
    "another end": lambda path: bytes_of(path, lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1"),
    "flipped bits": lambda path: bytes_of(
        path, lambda data: data[: len(data) // 3] + bytes(b ^ 0x55 for b in data[len(data) // 3 : len(data) // 3 + 40])
        + data[len(data) // 3 + 40 :]
    ),
}  # fmt: skip


@attacks("tables: rows")
def rows() -> Iterator[Attack]:
    for path, (columns, users) in TABLES.items():
        for name, kind in columns.items():
            for value, change in VALUES[kind].items():
                for user in users:
                    lenient = value in HARMLESS or user[0] in LENIENT or (user[0], name) in NOT_READ
                    lenient = lenient or (name, value) in MEANT
                    right = anything if lenient else None
                    yield Attack(f"{' '.join(user)}: {path}: {name}: {value}", user, column(path, name, change), right)
            if kind.startswith("text"):
                for user in users:
                    right = anything if user[0] in ("report", "summary") else None
                    yield Attack(f"{' '.join(user)}: {path}: {name}: not UTF-8", user, _not_utf8(path, name), right)


@attacks("tables: whole")
def whole() -> Iterator[Attack]:
    for path, (_, users) in TABLES.items():
        for name, make in WHOLE.items():
            for user in users[:2] if path != "data/ingest/test.parquet" else users[:1]:
                shown = user[0] == "show" and name == "no rows"
                lenient = shown or user[0] in ("report", "summary") or name.startswith(("flipped bits", "made with"))
                yield Attack(f"{' '.join(user)}: {path}: {name}", user, make(path), anything if lenient else None)
