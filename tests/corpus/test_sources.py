"""The sources text, tsv, jsonl and parquet."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stageformer.corpus.ingest import open_corpus
from stageformer.corpus.sources._rows import Columns
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.corpus.sources.jsonl import JsonlSource
from stageformer.corpus.sources.lines import LinesSource
from stageformer.corpus.sources.parquet import ParquetSource
from stageformer.corpus.sources.tsv import TsvSource
from stageformer.corpus.statistics import REASONS
from stageformer.errors import StageformerError

PAIRS = [("Hello", "Hallo"), ("a\u2028b", "日本"), (" x ", "é")]


def only(source: Source) -> Rejected:
    """Return the one record of a source, which must be a rejected one."""
    (record,) = source
    assert isinstance(record, Rejected)
    assert record.reason in REASONS
    return record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every kind of corpus, with the same three pairs."""
    (tmp_path / "t.en").write_text("".join(f"{source}\n" for source, _ in PAIRS), encoding="utf-8", newline="")
    (tmp_path / "t.de.gz").write_bytes(gzip.compress("\r\n".join(target for _, target in PAIRS).encode()))
    tsv = "".join(f"{number % 2}\t{target}\t{source}\n" for number, (source, target) in enumerate(PAIRS))
    (tmp_path / "t.tsv").write_text(tsv, encoding="utf-8", newline="")
    objects = [{"en": source, "de": target, "n": number % 2} for number, (source, target) in enumerate(PAIRS)]
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in objects)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pq.write_table(pa.Table.from_pylist(objects), tmp_path / "t.parquet")
    return tmp_path


def test_all_kinds_give_the_same_pairs(folder: Path, make_params) -> None:
    columns = {"source_column": "en", "target_column": "de", "group_column": "n"}
    numbers = {"source_column": "3", "target_column": "2", "group_column": "1"}
    found = {}
    for kind, names, more in [
        ("lines", ["t.en", "t.de.gz"], {}),
        ("tsv", ["t.tsv"], numbers),
        ("jsonl", ["t.jsonl.gz"], columns),
        ("parquet", ["t.parquet"], columns),
    ]:
        files = {"train": [str(folder / name) for name in names], **more}
        corpus = open_corpus(make_params(source=kind, files=files), folder)
        assert list(corpus) == ["train"]
        records = list(corpus["train"])
        assert list(corpus["train"]) == records  # a source can be read again
        found[kind] = [(record.source, record.target) for record in records]
        groups = [record.group for record in records if isinstance(record, Record)]
        assert groups == (["", "", ""] if kind == "lines" else ["0", "1", "0"])
    assert found == dict.fromkeys(found, PAIRS)


def test_ready_made_splits(folder: Path, make_params) -> None:
    names = [str(folder / "t.tsv")]
    corpus = open_corpus(make_params(source="tsv", files={"train": names, "test": names}), folder)
    assert list(corpus) == ["train", "test"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("a\nb\n", "x\ny\nz\nw\n", "s ends at line 2, but .*t has 4 lines"),
        ("a\nb\nc", "x\n", "t ends at line 1, but .*s has 3 lines"),
        ("", "x\n", "s ends at line 0, but .*t has 1 lines"),
    ],
)
def test_files_of_unequal_length(tmp_path: Path, source: str, target: str, message: str) -> None:
    (tmp_path / "s").write_text(source)
    (tmp_path / "t").write_text(target)
    with pytest.raises(StageformerError, match=message):
        list(LinesSource(((tmp_path / "s", tmp_path / "t"),)))


def test_bad_lines_of_either_file_are_reported_and_the_rest_stays_aligned(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"one\n\nthree\nfour\n")
    (tmp_path / "t").write_bytes(b"eins\nzwei\n\xff\nvier\n")
    records = list(LinesSource(((tmp_path / "s", tmp_path / "t"),)))
    assert [record.reason for record in records if isinstance(record, Rejected)] == ["empty", "not_utf8"]
    assert f"{tmp_path}/s:2: empty line" in str(records[1])
    assert f"{tmp_path}/t:3:1: byte 0xff" in str(records[2])
    assert records[3] == Record("four", "vier", "", "s:4")


def test_tsv_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    source = TsvSource((path,), Columns("1", "3"))
    path.write_text("a\tb\n")
    assert f"{path}:1: found 2 columns, needed 3" in str(only(source).message)
    path.write_text("a\tb\t \n")
    assert f"{path}:1: column 3 is empty" in str(only(source).message)
    path.write_bytes(b"a\tb\t\xfc\n")
    assert f"{path}:1:5: byte 0xfc" in str(only(source).message)


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        ('{"en": "a", ', "not_json", "t.jsonl:1: not JSON at character"),
        ("[" * 100_000, "not_json", "t.jsonl:1: not JSON"),
        ("[1]", "not_json", "t.jsonl:1: needed a JSON object, found list"),
        ('{"en": "a", "dee": "b"}', "missing_field", "t.jsonl:1: no field 'de' (did you mean 'dee'?)"),
        ('{"en": "a", "de": "b"}', "missing_field", "t.jsonl:1: no field 'g'"),
        ('{"en": "", "de": "b", "g": 1}', "empty", "t.jsonl:1: the field 'en' is empty"),
        ('{"en": "a", "de": null, "g": 1}', "empty", "t.jsonl:1: the field 'de' is empty"),
        ('{"en": "a", "de": 5, "g": 1}', "not_text", "t.jsonl:1: the field 'de' is not text: 5"),
        ('{"en": "a", "de": "\\ud800", "g": 1}', "not_utf8", "t.jsonl:1: the field 'de' holds a lone surrogate"),
        ('{"en": "a", "de": "b", "g": [1]}', "not_text", "t.jsonl:1: the field 'g' names no group: [1]"),
        ("", "empty", "t.jsonl:1: empty line"),
    ],
)
def test_jsonl_mistakes(tmp_path: Path, line: str, reason: str, message: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(line + "\n")
    rejected = only(JsonlSource((path,), Columns("en", "de", "g")))
    assert rejected.reason == reason
    assert message in str(rejected.message)
    assert "\n" not in str(rejected.message)


def test_parquet_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"source": ["a", None], "target": ["b", "c"], "n": [1, 2]}), path)
    with pytest.raises(StageformerError, match=r"no column 'sorce' \(did you mean 'source'\?\); it has source, t"):
        list(ParquetSource((path,), Columns("sorce", "target")))
    with pytest.raises(StageformerError, match="the column 'n' is of type int64, needed string"):
        list(ParquetSource((path,), Columns("source", "n")))
    records = list(ParquetSource((path,), Columns("source", "target")))
    assert records[0] == Record("a", "b", "", "t.parquet: row 1")
    assert "row 2: the column 'source' is empty" in str(records[1])


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"], pa.binary()).buffers())
    pq.write_table(pa.table({"source": bad, "target": ["b"]}), path)
    with pytest.raises(StageformerError, match="'source' holds bytes that are not UTF-8"):
        list(ParquetSource((path,), Columns("source", "target")))


def test_cut_off_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"source": ["a"] * 100, "target": ["b"] * 100}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StageformerError, match="not a readable Parquet file"):
        list(ParquetSource((path,), Columns("source", "target")))
    with pytest.raises(StageformerError, match="no such file"):
        list(ParquetSource((tmp_path / "none.parquet",), Columns("source", "target")))


def test_shards_are_read_one_after_the_other(folder: Path, make_params) -> None:
    (folder / "en").mkdir()
    (folder / "de").mkdir()
    for number, (source, target) in enumerate(PAIRS):
        (folder / f"en/{number}").write_text(f"{source}\n", encoding="utf-8")
        (folder / f"de/{number}").write_text(f"{target}\n", encoding="utf-8")
        (folder / f"shard-{number}.tsv").write_text(f"{source}\t{target}\n", encoding="utf-8")
        line = json.dumps({"source": source, "target": target})
        (folder / f"shard-{number}.jsonl").write_text(line, encoding="utf-8")
        pq.write_table(pa.Table.from_pylist([json.loads(line)]), folder / f"shard-{number}.parquet")
    numbers = {"source_column": "1", "target_column": "2"}
    names = {"source_column": "source", "target_column": "target"}
    for kind, train, columns in [
        ("lines", ["en", "de"], {}),
        ("tsv", ["shard-*.tsv"], numbers),
        ("tsv", ["shard-0.tsv", "shard-[12].tsv"], numbers),
        ("jsonl", ["shard-*.jsonl"], names),
        ("parquet", ["shard-*.parquet"], names),
    ]:
        files = {"train": [str(folder / name) for name in train], **columns}
        records = list(open_corpus(make_params(source=kind, files=files), folder)["train"])
        assert [record[:2] for record in records] == PAIRS
        assert len({record.where.split(":")[0] for record in records}) == 3
    (folder / "de/2").unlink()
    with pytest.raises(StageformerError, match=r"en/0 and so on are 3 files, but .*de/0 and so on are 2; each file"):
        open_corpus(make_params(source="lines", files={"train": [str(folder / "en"), str(folder / "de")]}), folder)


def test_a_field_inside_of_another(folder: Path, make_params) -> None:
    rows = [{"translation": {"en": source, "de": target}, "meta": {"n": {"k": 1}}} for source, target in PAIRS]
    (folder / "n.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist([*rows, {"translation": None}]), folder / "n.parquet")
    columns = {"source_column": "translation.en", "target_column": "translation.de", "group_column": "meta.n.k"}
    for kind in ("jsonl", "parquet"):
        files = {"train": [str(folder / f"n.{kind}")], **columns}
        records = list(open_corpus(make_params(source=kind, files=files), folder)["train"])
        assert [record[:3] for record in records[:3]] == [(*pair, "1") for pair in PAIRS]
    assert isinstance(records[3], Rejected)
    assert records[3].reason == "empty"
    message = r"no (field|column) 'en' \(did you mean 'translation.en'\?\)"
    assert re.search(message, str(next(iter(JsonlSource((folder / "n.jsonl",), Columns("en", "de"))))))
    with pytest.raises(StageformerError, match=message):
        list(ParquetSource((folder / "n.parquet",), Columns("en", "de")))
    plain = JsonlSource((folder / "plain",), Columns("a.b", "a"))
    (folder / "plain").write_text('{"a": "x", "a.b": "y"}')  # a name with a dot comes before a way into a field
    assert list(plain) == [Record("y", "x", "", "plain:1")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "lines"}, "files.train is empty"),
        ({"source": "lines", "files": {"train": ["one"]}}, "files.train names 1 files; source 'lines' needs 2 a"),
        ({"source": "tsv", "files": {"train": ["a"], "source_column": "en"}}, "files.source_column is 'en'; tsv needs"),
        ({"source": "tsv", "files": {"train": ["a"], "group_column": "0"}}, "files.group_column is '0'; tsv needs"),
        ({"test_fraction": 0.0}, "test_fraction is 0 and files.test is empty"),
        ({"homeassistant": {"sha256": "abc"}}, "sha256 is 'abc'; needed 64 digits"),
        ({"homeassistant": {"version": ">=1"}}, "version is '>=1'; needed one version"),
    ],
)
def test_impossible_parameters(make_params, changes: dict[str, object], message: str) -> None:
    with pytest.raises(StageformerError, match=message.replace("?", r"\?")):
        make_params(**changes)
