"""The rows of tables: nulls, empty lists, ids that are there twice and text that is not UTF-8 are one line each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.artifacts import tables
from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.artifacts.tables import SCHEMAS, read_batches, read_table, write_table
from stageformer.errors import StageformerError
from stageformer.text.vocab_splits import count_tokens

SAMPLES: dict[Any, Any] = {
    pa.int64(): 3, pa.int32(): 4, pa.string(): "größer", pa.float32(): 0.5, pa.float64(): 0.1, pa.bool_(): True
}  # fmt: skip

Read = Callable[[Path, str], object]


def read_by_batches(path: Path, kind: str) -> object:
    return list(read_batches(path, kind))


def read_a_part(path: Path, kind: str) -> object:
    return [list(read_batches(path, kind, [name])) for name in SCHEMAS[kind].names]


READERS: list[Read] = [read_table, read_by_batches, read_a_part]


def rows_of(kind: str, count: int) -> dict[str, list[Any]]:
    columns = {
        field.name: [SAMPLES[field.type] if field.type in SAMPLES else [SAMPLES[field.type.value_type]] * 2] * count
        for field in SCHEMAS[kind]
    }
    return columns | {"id": list(range(count))}


def write_anything(path: Path, kind: str, columns: dict[str, Any]) -> None:
    """Write as another program could: whatever the rows are."""
    header = {"stageformer": json.dumps({"kind": kind, "schema_version": SCHEMA_VERSION})}
    arrays = [
        column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
        for field in SCHEMAS[kind]
    ]
    table = pa.table(arrays, schema=SCHEMAS[kind].with_metadata(header))
    pq.write_table(table, path, row_group_size=3)


def refused(path: Path, kind: str, message: str) -> None:
    for read in READERS:
        with pytest.raises(StageformerError) as caught:
            read(path, kind)
        assert str(caught.value).startswith(f"{path}: {message}; make it again with `dvc repro --force ")


COLUMNS = [(kind, field.name) for kind, schema in SCHEMAS.items() for field in schema]
LISTS = [(kind, name) for kind, name in COLUMNS if pa.types.is_list(SCHEMAS[kind].field(name).type)]
TEXTS = [
    (kind, name) for kind, name in COLUMNS
    if SCHEMAS[kind].field(name).type in (pa.string(), pa.list_(pa.field("element", pa.string())))
]  # fmt: skip


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 4)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_good_rows_of_every_kind(tmp_path: Path, kind: str) -> None:
    write_anything(tmp_path / "x", kind, rows_of(kind, 10))
    for read in READERS:
        read(tmp_path / "x", kind)


@pytest.mark.parametrize(("kind", "name"), COLUMNS)
@pytest.mark.parametrize("row", [0, 7, 9])
def test_null(tmp_path: Path, kind: str, name: str, row: int) -> None:
    columns = rows_of(kind, 10)
    columns[name][row] = None
    write_anything(tmp_path / "x", kind, columns)
    refused(tmp_path / "x", kind, f"{name} of row {row} is null")


@pytest.mark.parametrize(("kind", "name"), LISTS)
@pytest.mark.parametrize("row", [0, 7, 9])
def test_null_in_a_list(tmp_path: Path, kind: str, name: str, row: int) -> None:
    columns = rows_of(kind, 10)
    columns[name][row] = [columns[name][row][0], None]
    write_anything(tmp_path / "x", kind, columns)
    refused(tmp_path / "x", kind, f"{name} of row {row} holds a null")


@pytest.mark.parametrize(("kind", "name"), LISTS)
def test_empty_list(tmp_path: Path, kind: str, name: str) -> None:
    columns = rows_of(kind, 10)
    columns[name][6] = []
    write_anything(tmp_path / "x", kind, columns)
    if name in ("references", "source_ids", "target_ids"):
        refused(tmp_path / "x", kind, f"{name} of row 6 is an empty list")
    else:  # text without a token, a translation that ends at once
        for read in READERS:
            read(tmp_path / "x", kind)


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("ids", [[5, 5, 6, 7, 8, 9], [0, 1, 2, 9, 4, 1], [3, 2, 1, 0, 5, 3]])
def test_an_id_twice(tmp_path: Path, kind: str, ids: list[int]) -> None:
    write_anything(tmp_path / "x", kind, rows_of(kind, 6) | {"id": ids})
    (twice,) = {number for number in ids if ids.count(number) > 1}
    refused(tmp_path / "x", kind, f"the id {twice} is there twice")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_ids_in_any_order(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    path = tmp_path_factory.mktemp("ids") / "x"
    columns = {"id": ids, "source_ids": [[2]] * len(ids), "target_ids": [[1, 2]] * len(ids)}
    write_table(path, "ids", [columns])
    if len(set(ids)) == len(ids):
        assert read_table(path, "ids").to_pydict() == columns
    else:
        with pytest.raises(StageformerError, match=r"the id -?\d+ is there twice"):
            read_table(path, "ids")


@pytest.mark.parametrize(("kind", "name"), [place for place in TEXTS if place[0] != "tokens"])
@pytest.mark.parametrize("parts", [[b"ab", b"\xff", b"c"], [b"a\xc3", b"\xa4b", b"c"], [b"abcdefgh", b"\xe4", b"c"]])
def test_text_that_is_not_utf8(tmp_path: Path, kind: str, name: str, parts: list[bytes]) -> None:
    field = SCHEMAS[kind].field(name)
    text = pa.array(parts, pa.binary()).view(pa.string())
    is_list = pa.types.is_list(field.type)
    column = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), text, type=field.type) if is_list else text
    write_anything(tmp_path / "x", kind, rows_of(kind, 3) | {name: column})
    refused(tmp_path / "x", kind, f"{name} holds text that is not UTF-8")


def test_tokens_that_are_not_utf8(tmp_path: Path) -> None:
    text = pa.array([b"ab", b"\xff", b"c"], pa.binary()).view(pa.string())
    field = SCHEMAS["tokens"].field("source_tokens")
    column = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), text, type=field.type)
    write_anything(tmp_path / "x", "tokens", rows_of("tokens", 3) | {"source_tokens": column})
    with pytest.raises(StageformerError, match=r"x: holds text that is not UTF-8; .*dvc repro --force tokenize"):
        count_tokens(tmp_path / "x")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=8))
def test_any_text_is_taken(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("texts") / "x"
    columns = {"token": texts, "id": list(range(len(texts))), "count": [1] * len(texts)}
    write_table(path, "vocabulary", [columns])
    assert read_table(path, "vocabulary").to_pydict() == columns


def test_a_header_of_great_depth_is_foreign(tmp_path: Path) -> None:
    table = pa.table(rows_of("ids", 2), SCHEMAS["ids"].with_metadata({"stageformer": "[" * 200_000}))
    pq.write_table(table, tmp_path / "x")
    with pytest.raises(StageformerError, match="found a file that Stageformer did not write"):
        read_table(tmp_path / "x", "ids")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["beam_score", "target_log_probability"])
def test_numbers_are_finite(name: str, number: float, tmp_path: Path) -> None:
    row = {
        "id": [1, 2], "beam_ids": [[4], []], "beam_score": [-1.0, -2.0], "beam_log_probability": [-1.0, -2.0],
        "greedy_ids": [[4], [5]], "target_log_probability": [-3.0, -4.0],
    }  # fmt: skip
    write_table(tmp_path / "x.parquet", "hypotheses", [row])
    assert len(read_table(tmp_path / "x.parquet", "hypotheses")) == 2
    write_table(tmp_path / "x.parquet", "hypotheses", [row | {name: [-1.0, number]}])
    with pytest.raises(StageformerError, match=rf"x\.parquet: {name} holds a number that is not finite"):
        read_table(tmp_path / "x.parquet", "hypotheses")
    assert len(read_table(tmp_path / "x.parquet", "hypotheses", ["id"])) == 2, "it is not read"
