"""`stageformer similar`: the ranking that NumPy computes from the padded copy of the memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from stageformer.artifacts.tables import read_table
from stageformer.cli import main
from stageformer.memory.padded import export_padded
from stageformer.memory.store import MemoryStore
from tests.repositories import Repository


@pytest.mark.parametrize("how", ["mean", "max", "cls"])
def test_the_neighbours_are_those_of_numpy(finished: Repository, tmp_path: Path, how: str) -> None:
    data = finished.root / "data"
    sentences = read_table(data / "ingest/train.parquet", "sentences").to_pylist()
    text = {one["id"]: one["source"] for one in sentences}
    export_padded(MemoryStore(data / "encode/train"), tmp_path / "padded", "npy")
    memory, lengths, ids = (np.load(tmp_path / f"padded/{name}.npy") for name in ("memory", "lengths", "ids"))
    by_hand = {"mean": lambda x: x.mean(axis=0), "max": lambda x: x.max(axis=0), "cls": lambda x: x[0]}[how]
    vectors = np.array([by_hand(one[:length].astype(float)) for one, length in zip(memory, lengths, strict=True)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors[3]
    arguments = ["similar", f" {text[ids[3]]} ", "--how", how, "--number", "4", "--root", str(finished.root)]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert [one["cosine"] for one in found] == pytest.approx(sorted(cosines, reverse=True)[:4], abs=1e-4)
    place = {id: row for row, id in enumerate(ids.tolist())}
    assert [one["cosine"] for one in found] == pytest.approx([cosines[place[one["id"]]] for one in found], abs=1e-4)
    assert [one["source"] for one in found] == [text[one["id"]] for one in found]
    assert found[0]["cosine"] == 1.0
    lines = CliRunner().invoke(main, arguments).output.splitlines()
    assert len(lines) == 5
    assert lines[0].split() == ["cosine", "sentence"]


@pytest.mark.parametrize(("text", "message"), [("  ", "the text is empty"), ("one " * 2000, "tokens with <eos>")])
def test_a_text_that_cannot_be_encoded(finished: Repository, text: str, message: str) -> None:
    result = CliRunner().invoke(main, ["similar", text, "--root", str(finished.root)])
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("rows", [slice(1, None), slice(None, -1)])
def test_a_table_of_fewer_sentences_than_the_memory_is_refused(
    finished: Repository, tmp_path: Path, rows: slice
) -> None:
    repository = finished.copy(tmp_path / "copy")
    path = repository.root / "data/ingest/train.parquet"
    table = pq.read_table(path)
    path.unlink()  # a link into DVC's cache, maybe
    pq.write_table(table.take(list(range(len(table)))[rows]), path)
    result = CliRunner().invoke(main, ["similar", "one", "--number", "1", "--root", str(repository.root)])
    assert result.exit_code == 2
    assert f"which {path} lacks (1 such)" in result.output
    assert result.output.count("\n") == 1
