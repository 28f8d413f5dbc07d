"""Several corpora in a split: tags, weights, headers, one side alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stageformer.artifacts.tables import read_table
from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.corpus.statistics import Statistics
from stageformer.errors import StageformerError
from stageformer.params.ingest import Ingest

OFF = {"require_letters": False, "drop_equal": False, "max_length_ratio": None}


def run(params: Ingest, folder: Path) -> tuple[Statistics, dict[str, list[dict[str, Any]]]]:
    statistics = ingest(open_corpus(params, folder), params, folder / "out")
    tables = {split: read_table(folder / f"out/{split}.parquet", "sentences") for split in ("train", "valid", "test")}
    return statistics, {split: table.to_pylist() for split, table in tables.items()}


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_tag_for_each_corpus_and_no_sentence_of_test_in_train_under_another_tag(tmp_path: Path, make_params) -> None:
    words = [f"word {number}" for number in range(200)]
    de = write(tmp_path / "de.tsv", *[f"{word}\tWort {word}" for word in words])
    fr = write(tmp_path / "fr.tsv", *[f"{word}\tmot {word}" for word in words])
    _, rows = run(make_params(source="tsv", files={"train": [de, fr], "tags": ["<2de>", "<2fr>"]}), tmp_path)
    assert sum(map(len, rows.values())) == 400  # equal sources under two tags are no duplicates
    for split in rows.values():
        for row in split:
            tag, word = row["source"].split(" ", 1)
            assert row["target"] == f"{'Wort' if tag == '<2de>' else 'mot'} {word}"
            assert row["references"] == [row["target"]]  # the other language's is no reference
    sources = {name: {row["source"].split(" ", 1)[1] for row in split} for name, split in rows.items()}
    assert not sources["train"] & (sources["valid"] | sources["test"])
    tested = write(tmp_path / "test.tsv", "word 7\tWort")
    params = make_params(source="tsv", files={"train": [fr], "test": [tested], "tags": ["<2fr>"]})
    _, rows = run(params, tmp_path)
    assert "<2fr> word 7" not in [row["source"] for row in rows["train"]]
    assert [row["source"] for row in rows["test"]] == ["<2fr> word 7"]


def test_a_weight_repeats_a_corpus_in_train_alone(tmp_path: Path, make_params) -> None:
    one = write(tmp_path / "one", *[f"one {number}" for number in range(301)])
    two = write(tmp_path / "two", *[f"zwei {number}" for number in range(301)])
    files = {"train": [one, two, two, one], "weights": [3, 1]}
    statistics, rows = run(make_params(source="lines", files=files, **OFF), tmp_path)
    plain, once = run(make_params(source="lines", files={**files, "weights": []}, **OFF), tmp_path)
    assert (rows["valid"], rows["test"]) != ([], [])
    for split in ("valid", "test"):
        texts = [(row["source"], row["target"]) for row in rows[split]]
        assert texts == [(row["source"], row["target"]) for row in once[split]]
    counts = [row["source"] for row in rows["train"]]
    assert {counts.count(source) for source in set(counts) if source.startswith("one")} == {3}
    assert {counts.count(source) for source in set(counts) if source.startswith("zwei")} == {1}
    assert set(counts) == {row["source"] for row in once["train"]}
    ids = [row["id"] for split in rows.values() for row in split]
    assert ids == list(range(len(ids)))
    assert statistics.total().repeated == len(rows["train"]) - len(once["train"])
    assert f"repeated {statistics.total().repeated} by weight" in statistics.sources["train"].summary()
    assert "repeated" not in plain.sources["train"].summary()


def test_columns_by_the_names_of_a_header(tmp_path: Path, make_params) -> None:
    first = write(tmp_path / "a.tsv", "\ufeffid\ten\tde", "1\tcat\tKatze")
    second = write(tmp_path / "b.tsv", "de\tid\ten", "Hund\t2\tdog", "Maus\t3", "\t4\tcow")
    files = {"train": [first, second], "header": True, "source_column": "en", "target_column": "de"}
    records = list(open_corpus(make_params(source="tsv", files=files), tmp_path)["train"])
    assert records[:2] == [Record("cat", "Katze", "", "a.tsv:2"), Record("dog", "Hund", "", "b.tsv:2")]
    assert [record.message for record in records[2:] if isinstance(record, Rejected)] == [
        f"{second}:3: found 2 columns, needed 3; fix it, or set ingest.on_bad_line: drop",
        f"{second}:4: column de is empty; fix it, or set ingest.on_bad_line: drop",
    ]
    with pytest.raises(StageformerError, match=r"a.tsv: no column 'den' \(did you mean 'en'\?\).* names id, en, de"):
        list(open_corpus(make_params(source="tsv", files={**files, "source_column": "den"}), tmp_path)["train"])
    numbers = {**files, "source_column": 2, "target_column": "3"}
    assert next(iter(open_corpus(make_params(source="tsv", files=numbers), tmp_path)["train"])) == records[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train": ["a", "b", "c"]}, "files.train names 3 files; source 'lines' needs 2 a corpus"),
        ({"train": ["a", "b"], "tags": ["<x>", "<y>"]}, "files.tags has 2 values, but files.train names 1 corpora"),
        ({"train": ["a", "b"], "weights": [1, 2]}, "files.weights has 2 values, but files.train names 1 corpora"),
        ({"train": list("abcd"), "tags": ["<x>", "<y>"], "test": ["a", "b"]}, "has 2 values, but files.test names 1"),
        ({"train": ["a", "b"], "weights": [0]}, "files.weights"),
    ],
)
def test_names_tags_and_weights_must_fit(
    make_params: Callable[..., Ingest], files: dict[str, object], message: str
) -> None:
    with pytest.raises(StageformerError, match=message):
        make_params(source="lines", files=files)
