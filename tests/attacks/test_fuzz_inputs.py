"""What users bring, made up by Hypothesis: parameters, tokenizers, corpora and vectors. Each reader takes it or refuses
it in one line.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stageformer.corpus.sources.base import Record, Rejected
from stageformer.params.base import parse
from stageformer.params.groups import Parameters, check
from stageformer.params.ingest import Ingest
from stageformer.params.reading import parse_yaml
from stageformer.text.pair import load_tokenizers, tokenizer_class
from stageformer.text.vocabulary import load_vocabularies
from stageformer.vectors.file import FileVectors
from tests.attacks.fuzzing import PLAIN, changed, damaged, fuzzed, one_line, tables

ROOT = Path(__file__).parents[2]

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


def test_every_family_of_tokenizers_loads_in_one_line_from_an_empty_folder(tmp_path: Path) -> None:
    from stageformer.params.choices import kinds
    from stageformer.text.form import Form

    for kind in kinds("stageformer.text.tokenizers"):
        one_line(lambda kind=kind: tokenizer_class(kind).load(tmp_path, Form("keep", "none")))
