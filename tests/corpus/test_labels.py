"""Labels of every file format, what is wrong with them, and the tables that they end up in."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import read_table
from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.corpus.labels import LabelsError, read_labels
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError

TEXTS = ["the red fox", "a dog", "birds sing loudly"]
LABELS: dict[str, list[Any]] = {
    "one": ["animal story", 0, "true"],
    "several": [["x", "y"], [], ["z"]],
    "tags": [["DT", "JJ", "NN"], ["DT", "NN"], ["NN", "VB", "RB"]],
}


def written(folder: Path, kind: str, labels: list[Any]) -> dict[str, dict[str, Any]]:
    """The same corpus of one side in every format; returns the parameters ``files`` of each."""
    joined = [" ".join(value) if isinstance(value, list) else str(value) for value in labels]
    (folder / "t.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    (folder / "t.labels").write_text("".join(f"{value}\n" for value in joined))
    (folder / "t.tsv").write_text("".join(f"{value}\t{text}\n" for text, value in zip(TEXTS, joined, strict=True)))
    rows = [{"text": text, "label": value} for text, value in zip(TEXTS, labels, strict=True)]
    (folder / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    column = labels if kind != "one" else list(map(str, labels))
    pq.write_table(pa.table({"text": TEXTS, "label": column}), folder / "t.parquet")
    names = {"source_column": "text", "label_column": "label", "target_column": None}
    return {
        "lines": {"train": [str(folder / "t.txt"), str(folder / "t.labels")], "target_column": None},
        "tsv": {"train": [str(folder / "t.tsv")], "source_column": 2, "label_column": 1, "target_column": None},
        "jsonl": {"train": [str(folder / "t.jsonl")], **names},
        "parquet": {"train": [str(folder / "t.parquet")], **names},
    }


@pytest.mark.parametrize("kind", LABELS)
def test_every_format_gives_the_same_labels(tmp_path: Path, make_params, kind: str) -> None:
    wanted = [tuple(map(str, value if isinstance(value, list) else [value])) for value in LABELS[kind]]
    for source, files in written(tmp_path, kind, LABELS[kind]).items():
        params = make_params(source=source, labels=kind, files=files)
        records = list(open_corpus(params, tmp_path)["train"])
        assert all(isinstance(record, Record) for record in records), source
        assert [(record.source, record.target) for record in records] == [(text, "") for text in TEXTS]
        assert [record.labels for record in records] == wanted, source


def test_tags_and_words_of_different_number_name_the_row(tmp_path: Path, make_params) -> None:
    wrong = [["DT", "JJ", "NN"], ["DT", "NN", "."], ["NN", "VB", "RB"]]
    places = {
        "lines": r"t\.labels:2: the line",
        "tsv": r"t\.tsv:2: column 1",
        "jsonl": r"t\.jsonl:2: the field 'label'",
    }
    places["parquet"] = r"t\.parquet: row 2: the column 'label'"
    for source, files in written(tmp_path, "tags", wrong).items():
        message = rf"{places[source]} holds 3 tags for the 2 words of the source; fix it, or set"
        with pytest.raises(StageformerError, match=message):
            ingest_of(tmp_path, make_params(source=source, labels="tags", files=files))
        params = make_params(source=source, labels="tags", files=files, on_bad_line="drop")
        records = list(open_corpus(params, tmp_path)["train"])
        assert [type(record) for record in records] == [Record, Rejected, Record]
        assert records[1].reason == "label"


def ingest_of(folder: Path, params: Any) -> Any:
    return ingest(open_corpus(params, folder), params, folder)


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (None, "one", "is not a label: None"),
        (["a", "b"], "one", "holds 2 labels, needed one"),
        (" ", "one", "holds an empty label"),
        ({"a": 1}, "several", "is not a label: {'a': 1}"),
        (["a", None], "tags", "is not a label: None"),
        ("", "tags", "holds 0 tags for the 2 words"),
    ],
)
def test_wrong_labels_are_refused(value: object, kind: str, problem: str) -> None:
    found = read_labels(value, kind, "two words")
    assert isinstance(found, LabelsError)
    assert problem in found.problem


def test_labels_are_text_without_repetitions() -> None:
    assert read_labels(True, "one", "") == ("true",)
    assert read_labels(" e\u0301  x ", "one", "") == ("\u00e9 x",)
    assert read_labels(["b", "a", "b"], "several", "") == ("b", "a")
    assert read_labels(["b", "b"], "tags", "x y") == ("b", "b")


@given(st.text(max_size=20))
def test_tags_are_as_many_as_the_words_that_are_written(text: str) -> None:
    from stageformer.text.normalisation import normalise

    words = normalise(text).split(" ") if normalise(text) else []
    assert read_labels(["T"] * len(words), "tags", text) == ("T",) * len(words)


def corpus_of(folder: Path, rows: list[tuple[str, str, str]]) -> dict[str, Any]:
    path = folder / "c.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return {"train": [str(path)], "source_column": 1, "target_column": None, "label_column": 2, "group_column": 3}


def test_labels_go_the_way_of_their_sentences(tmp_path: Path, make_params) -> None:
    """Split by group, no leak, equal rows once, other labels kept, and the counts are those of the tables."""
    rows = [(f"word {n % 300} text", f"L{n % 300 % 7}", f"g{n % 60}") for n in range(600)]
    rows += [("word 5 text", "other", "g5"), ("word 5 text", "other", "g5")]
    params = make_params(source="tsv", labels="one", files=corpus_of(tmp_path, rows))
    statistics = ingest_of(tmp_path, params)
    found: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
    for split in SPLITS:
        sentences = read_table(tmp_path / f"{split}.parquet", "sentences").to_pylist()
        labels = read_table(tmp_path / "labels" / f"{split}.parquet", "labels").to_pylist()
        assert [row["id"] for row in sentences] == [row["id"] for row in labels]
        found[split] = [
            (row["source"], tuple(label["labels"]), row["group"]) for row, label in zip(sentences, labels, strict=True)
        ]
    kept = [row for split in SPLITS for row in found[split]]
    assert sorted(kept) == sorted({(text, (label,), group) for text, label, group in rows})
    groups = [{group for *_, group in found[split]} for split in SPLITS]
    assert sum(map(len, groups)) == len(set().union(*groups))
    statistics.write(tmp_path / "reports")
    written = json.loads((tmp_path / "reports" / "labels.json").read_text())["labels"]
    for split in SPLITS:
        counted = Counter(label for _, labels, _ in found[split] for label in labels)
        assert {row["label"]: row[split] for row in written if row[split]} == counted


def test_rows_with_other_labels_are_not_merged_in_a_test_set(tmp_path: Path, make_params) -> None:
    (tmp_path / "test.tsv").write_text("the fox\tA\nthe fox\tB\nthe fox\tA\n")
    (tmp_path / "train.tsv").write_text("a dog\tA\nthe fox\tC\nbirds\tB\n")
    files = {"train": [str(tmp_path / "train.tsv")], "valid": [str(tmp_path / "train.tsv")], "label_column": 2}
    files |= {"test": [str(tmp_path / "test.tsv")], "source_column": 1, "target_column": None}
    params = make_params(source="tsv", labels="one", files=files, valid_fraction=0.0)
    with pytest.raises(StageformerError, match="0 sentences left in train"):
        ingest_of(tmp_path, params)  # valid is train
    (tmp_path / "valid.tsv").write_text("cats\tA\n")
    params = make_params(source="tsv", labels="one", files={**files, "valid": [str(tmp_path / "valid.tsv")]})
    ingest_of(tmp_path, params)
    labels = read_table(tmp_path / "labels" / "test.parquet", "labels").to_pylist()
    assert [row["labels"] for row in labels] == [["A"], ["B"]]
    train = read_table(tmp_path / "train.parquet", "sentences").to_pylist()
    assert [row["source"] for row in train] == ["a dog", "birds"]


def test_a_corpus_without_labels_has_empty_tables(tmp_path: Path, make_params) -> None:
    params = make_params(source="letters")
    ingest_of(tmp_path, params)
    for split in SPLITS:
        assert read_table(tmp_path / "labels" / f"{split}.parquet", "labels").num_rows == 0


def test_letters_are_labelled_with_their_task(tmp_path: Path, make_params) -> None:
    records = list(open_corpus(make_params(source="letters", labels="one"), tmp_path)["train"])
    assert {(record.source.split()[0], record.labels) for record in records} == {
        ("copy", ("copy",)),
        ("reverse", ("reverse",)),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "letters", "labels": "tags"}, "labels is 'tags'; source 'letters' has none, one"),
        ({"source": "homeassistant", "labels": "several"}, "source 'homeassistant' has none, one"),
        ({"source": "brown"}, "target_language is 'de', but 'brown' has one side alone"),
        ({"source": "tsv", "labels": "one", "files": {"train": ["x"]}}, "files.label_column is null; name the column"),
        ({"source": "tsv", "files": {"train": ["x"], "label_column": "3"}}, "label_column is '3'; set it to null"),
        (
            {"source": "tsv", "labels": "one", "files": {"train": ["x"], "label_column": "c"}},
            "files.label_column is 'c'; tsv needs the number",
        ),
        (
            {"source": "lines", "labels": "one", "files": {"train": ["x", "y"]}},
            "needs 3 a corpus, one per side, the last for the labels",
        ),
        (
            {"source": "jsonl", "labels": "tags", "files": {"train": ["x"], "label_column": "t", "tags": ["<a>"]}},
            "files.tags puts a word before it",
        ),
    ],
)
def test_parameters_that_do_not_fit(make_params, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StageformerError, match=message):
        make_params(**changes)
