"""Files made up by Hypothesis, for each reader: it gives what was written, or refuses in one line, and nothing else.

`make attack` makes fifty times as many (``FUZZ``); the examples are the same in every run.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stageformer.artifacts.tables import SCHEMAS, describe_table, open_table, read_table
from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.building.model_files import load_model
from stageformer.console.output import clean
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.groups import Parameters, check
from stageformer.params.ingest import Ingest
from stageformer.params.reading import parse_yaml
from stageformer.text.pair import load_tokenizers, tokenizer_class
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.state import Progress
from stageformer.vectors.file import FileVectors

EXAMPLES = int(os.environ.get("FUZZ", "1")) * 10
ROOT = Path(__file__).parents[2]
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

TEXT = st.text(max_size=12) | st.sampled_from(["", "id", "source", "kind", "\x1b[31m", "\ud800", "../x", "-1", "nan"])
NUMBER = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, float("nan"), -0.0])
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Whatever JSON, YAML and metadata may hold."""


def one_line(call: Callable[[], Any]) -> Any:
    """Return what a reader gives; None if it refuses in words of ours. Any other error is a fault."""
    try:
        return call()
    except StageformerError as error:
        said = clean(str(error)).strip()
    assert said
    return None


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Return content with some bytes changed, added or left out."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(found) - 1)))
        what = draw(st.sampled_from(["flip", "cut", "add", "drop", "repeat"]))
        if what == "flip" and found:
            found[place] ^= draw(st.integers(1, 255))
        elif what == "cut":
            del found[place:]
        elif what == "add":
            found[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif what == "drop":
            del found[place : place + draw(st.integers(1, 64))]
        else:
            found[place:place] = found[place : place + 32]
    return bytes(found)


@st.composite
def changed(draw: st.DrawFn, values: Any) -> Any:
    """Return nested lists and dicts in which one value is another one, is missing, or has another name."""
    copy = json.loads(json.dumps(values))
    places = [(copy, key) for key in _keys(copy)]
    for holder, key in list(places):
        places += [(holder[key], inner) for inner in _keys(holder[key])]
        places += [
            (holder[key][inner], last) for inner in _keys(holder[key]) for last in _keys(holder[key][inner])
        ]
    holder, key = draw(st.sampled_from(places))
    what = draw(st.sampled_from(["set", "set", "set", "drop", "rename"]))
    if what == "set":
        holder[key] = draw(PLAIN)
    elif what == "drop" or isinstance(holder, list):
        del holder[key]
    else:
        holder[draw(TEXT)] = holder.pop(key)
    return copy


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


# Tables

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5) | st.none(),
    "int32": st.integers(-(2**31), 2**31 - 1) | st.none(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5) | st.none(),
    "double": st.floats() | st.none(), "float": st.floats(width=32) | st.none(), "bool": st.booleans() | st.none(),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, kind: str) -> pa.Table:
    """Return a table of a kind whose rows are anything that its types allow, nulls among it."""
    rows = draw(st.integers(0, 4))
    columns = {}
    for field in SCHEMAS[kind]:
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        value = VALUES[str(inner)]
        value = st.lists(value, max_size=3) | st.none() if pa.types.is_list(field.type) else value
        columns[field.name] = pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), field.type)
    header = draw(st.just({"kind": kind, "schema_version": 1}) | changed({"kind": kind, "schema_version": 1}))
    schema = SCHEMAS[kind].with_metadata({"stageformer": json.dumps(header)})
    return pa.Table.from_arrays(list(columns.values()), schema=schema)


def _finite(column: Any) -> bool:
    values = [item for value in column.to_pylist() for item in (value if isinstance(value, list) else [value])]
    return all(math.isfinite(value) for value in values if isinstance(value, float))


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_tables(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"

    @fuzzed
    @given(tables(kind))
    def check_one(table: pa.Table) -> None:
        pq.write_table(table, path)
        found = one_line(lambda: read_table(path, kind))
        if found is not None:  # then it holds what was written, without a null anywhere
            assert found.equals(table)
            assert describe_table(open_table(path))["kind"] == kind
            assert all(not column.null_count for column in found.columns)
            assert all(map(_finite, table.columns))
            assert len(set(found["id"].to_pylist())) == len(found)

    check_one()


@pytest.mark.parametrize("kind", ["ids", "sentences"])
def test_damaged_tables(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    schema = SCHEMAS[kind].with_metadata({"stageformer": json.dumps({"kind": kind, "schema_version": 1})})
    rows = [
        {"id": row, "source": f"s{row}", "target": "t", "references": ["t"], "group": "", "source_ids": [4, row],
         "target_ids": [2, 3]} for row in range(30)
    ]  # fmt: skip
    table = pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)
    file = io.BytesIO()
    pq.write_table(table, file, write_page_checksum=True)

    @fuzzed
    @given(damaged(file.getvalue()))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        one_line(lambda: read_table(path, kind))

    check_one()


# Tensors

NUMBERS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def test_tensors(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    whole = {"kind": "model", "schema_version": 1, "metadata": {"a": [1, {"b": 2}]}}

    @fuzzed
    @given(changed(whole), st.sampled_from(["dict", "list", "int", "missing", "names"]))
    def check_one(content: dict[str, Any], tensors: str) -> None:
        held: Any = {"dict": {"w": NUMBERS}, "list": [NUMBERS], "int": {"w": 3}, "names": {3: NUMBERS}}.get(tensors)
        if tensors != "missing":
            content["tensors"] = held
        torch.save(content, path)
        found = one_line(lambda: read_tensors(path, "model"))
        if found is not None:
            assert (content["kind"], content["schema_version"]) == ("model", 1)
            assert torch.equal(found.tensors["w"], NUMBERS)

    check_one()


def test_damaged_tensors(tmp_path: Path) -> None:
    """A changed byte is found, or is one that holds no number: what is read is what was written."""
    path = tmp_path / "x.pt"
    write_tensors(path, "model", {"w": NUMBERS}, {"a": 1})
    whole = path.read_bytes()

    @fuzzed
    @given(damaged(whole))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        found = one_line(lambda: read_tensors(path, "model"))
        if found is not None:
            assert torch.equal(found.tensors["w"], NUMBERS)
            assert found.metadata == {"a": 1}

    check_one()


def test_models(toy_root: Path, tmp_path: Path) -> None:
    """A configuration in which one value is another one is refused, or is that of the weights."""
    path = tmp_path / "model.pt"
    whole = torch.load(toy_root / "data/train_decoder/model.pt", weights_only=True)
    sizes = {name: tensor.shape for name, tensor in whole["tensors"].items()}

    @fuzzed
    @given(changed(whole["metadata"]))
    def check_one(metadata: dict[str, Any]) -> None:
        torch.save(whole | {"metadata": metadata}, path)
        found = one_line(lambda: load_model(path))
        if found is not None:
            assert {name: parameter.shape for name, parameter in found[0].named_parameters()}.keys() <= sizes.keys()

    check_one()


# Parameters

RECIPE: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "recipes/default.yaml")


@fuzzed
@given(changed(RECIPE))
def test_parameters(values: dict[str, Any]) -> None:
    """Whatever is accepted is a set of parameters that is accepted again when it is written down and read."""
    found = one_line(lambda: check(values))
    if found is not None:
        assert isinstance(found, Parameters)
        assert check(json.loads(json.dumps(values))) == found


@fuzzed
@given(damaged((ROOT / "recipes/smoke.yaml").read_bytes()) | st.binary(max_size=60) | st.text(max_size=60).map(
    lambda text: text.encode(errors="surrogatepass")
))  # fmt: skip
def test_yaml(content: bytes) -> None:
    """What is read is what ruamel reads, comments or not."""
    found = one_line(lambda: parse_yaml(content, "x"))
    if found is not None:
        assert repr(found) == repr(YAML(typ="safe", pure=True).load(content.decode()))


LINE = st.sampled_from([
    "# a comment", "  # a: b", "", "a:", "b: 1", "  c: x y", "  d: [1, 2]", "e: 'x # y'", "f: |", "  # text", "- g",
    "h: x # y", "i: [", "  1]", "j: &k 3", "l: *k", '"m": n', "o: >", "p : q", "\tr: s",
])  # fmt: skip


@fuzzed
@given(st.lists(LINE, max_size=8))
def test_lines_of_yaml(lines: list[str]) -> None:
    """The same for lines among which there are comments, and lines that only look like one."""
    text = "\n".join(lines)
    found = one_line(lambda: parse_yaml(text.encode(), "x"))
    if found is not None:
        assert found == YAML(typ="safe", pure=True).load(text)


# Tokenizers and vocabularies


@pytest.mark.parametrize("name", ["config.json", "shared/tokenizer.json"])
def test_tokenizer_folders(name: str, tmp_path: Path) -> None:
    """A tokenizer in which one value is another one is refused, or cuts and joins texts without a fault."""
    from stageformer.text.pair import save_tokenizers, train_tokenizers
    from tests.families import family

    trained = train_tokenizers(["one two three", "two two"], ["eins zwei", "zwei"], family("bpe"), None)
    save_tokenizers(trained, tmp_path / "tokenizer")
    path = tmp_path / "tokenizer" / name
    whole = json.loads(path.read_text(encoding="utf-8"))

    @fuzzed
    @given(changed(whole))
    def check_one(content: Any) -> None:
        path.write_text(json.dumps(content), encoding="utf-8", errors="surrogatepass")
        found = one_line(lambda: load_tokenizers(tmp_path / "tokenizer"))
        if found is not None:
            tokens = one_line(lambda: found.source.encode_batch(["one two", ""]))
            if tokens is not None:
                one_line(lambda: found.source.decode(tokens[0]))

    check_one()


@fuzzed
@given(tables("vocabulary"))
def test_vocabularies(table: pa.Table) -> None:
    with _folder() as folder:
        pq.write_table(table, folder / "vocabulary.parquet")
        one_line(lambda: load_vocabularies(folder))


# Corpora


def _folder() -> Any:
    import contextlib
    import tempfile

    @contextlib.contextmanager
    def made() -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)

    return made()


LINES = st.lists(
    st.binary(max_size=20) | PLAIN.map(lambda value: json.dumps(value).encode()) | st.dictionaries(
        st.sampled_from(["source", "target", "label", "x"]), PLAIN, max_size=3
    ).map(lambda value: json.dumps(value).encode()), max_size=5,
).map(b"\n".join)  # fmt: skip


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "lines"])
@pytest.mark.parametrize("labels", ["none", "one", "several", "tags"])
def test_corpora(kind: str, labels: str, tmp_path: Path) -> None:
    """Every record is a pair of texts that are UTF-8 and not empty, or is rejected with a reason."""
    from stageformer.corpus.ingest import open_corpus

    values = json.loads(json.dumps(RECIPE["ingest"]))
    values |= {"source": kind, "labels": labels, "valid_fraction": 0.1, "test_fraction": 0.1}
    columns = ("1", "2", "3") if kind == "tsv" else ("source", "target", "label")
    values["files"] |= {"source_column": columns[0], "target_column": columns[1]}
    has_column = labels != "none" and kind != "lines"
    values["files"]["label_column"] = columns[2] if has_column else None
    count = (2 + (labels != "none")) if kind == "lines" else 1
    values["files"]["train"] = [str(tmp_path / f"x{number}") for number in range(count)]
    params = parse(Ingest, values, "ingest")

    @fuzzed
    @given(LINES, LINES)
    def check_one(content: bytes, other: bytes) -> None:
        for number in range(count):
            (tmp_path / f"x{number}").write_bytes(other if number else content)
        for record in one_line(lambda: list(open_corpus(params, tmp_path)["train"])) or []:
            if isinstance(record, Record):
                assert record.source.strip()
                assert record.target.strip()
                (record.source + record.target + "".join(record.labels)).encode()
                assert labels == "several" or bool(record.labels) == (labels != "none")
            else:
                assert isinstance(record, Rejected)
                assert record.reason

    check_one()


# Vectors

VECTOR_LINES = st.lists(
    st.sampled_from([
        b"3 2", b"one 1 2", b"two nan 1", b"one 1", b"x y z 1 2", b"", b" ", b"one 1_0 2", b"one 1e999 1", b"\xff 1 2",
    ]) | st.binary(max_size=12), max_size=6,
).map(b"\n".join)  # fmt: skip


@pytest.mark.parametrize("form", ["auto", "text", "word2vec_bin", "fasttext_bin", "numpy"])
def test_files_of_vectors(form: str, tmp_path: Path) -> None:
    path = tmp_path / "x"

    @fuzzed
    @given(VECTOR_LINES | st.binary(max_size=80) | st.binary(max_size=40).map(_zipped))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        found = one_line(lambda: FileVectors(path, form).vectors(["one", "two"]))
        if found is not None:
            assert found.vectors.isfinite().all()
            assert len(found.rows) == len(found.vectors)

    check_one()


def _zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("words.npy", content)
    return file.getvalue()


# Checkpoints


PROGRESS = Progress(
    update=3, epoch=0, batch=3, history=[(2, {"valid_loss": 1.5, "train_loss": 2.0})], best_valid_loss=1.5
)


@fuzzed
@given(changed(json.loads(json.dumps(PROGRESS.to_dict()))))
def test_progress(values: Any) -> None:
    """What a checkpoint says of its training, with one value changed, is taken as it is or refused as wrong."""
    try:
        found = Progress.from_dict(values)
    except ValueError:
        return
    assert json.loads(json.dumps(found.to_dict())) == values


def test_damaged_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint with other bytes is the one that was written, or the one before it is taken."""
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(tmp_path))
    checkpoints = Checkpoints("x", "f" * 64)
    first = replace(PROGRESS, update=2, batch=2)
    for progress in (first, PROGRESS):
        newest = checkpoints.write(progress, {"weights/w": NUMBERS * progress.update})
    whole = newest.read_bytes()

    @fuzzed
    @given(damaged(whole))
    def check_one(content: bytes) -> None:
        newest.write_bytes(content)
        found = checkpoints.newest(lambda progress, tensors: None, quiet=True)
        assert found is not None
        assert found[0] in (first, PROGRESS)
        assert torch.equal(found[1]["weights/w"], NUMBERS * found[0].update)

    check_one()


def test_every_family_of_tokenizers_loads_in_one_line_from_an_empty_folder(tmp_path: Path) -> None:
    from stageformer.params.choices import kinds
    from stageformer.text.form import Form

    for kind in kinds("stageformer.text.tokenizers"):
        one_line(lambda kind=kind: tokenizer_class(kind).load(tmp_path, Form("keep", "none")))
