"""Sources read some rows at a time, against the whole table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stageformer.artifacts import tables as artifacts
from stageformer.artifacts.tables import write_table
from stageformer.batching.source_table import open_sources
from stageformer.errors import StageformerError

SENTENCES = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15], [], [4], [7, 7]]


def write(path: Path, sentences: list[list[int]]) -> None:
    ids = [3 * number for number in range(len(sentences))]
    write_table(path, "ids", [{"id": ids, "source_ids": sentences, "target_ids": [[1, 2]] * len(ids)}])


@pytest.mark.parametrize("rows_per_group", [1, 2, 3, 7, 100])
def test_any_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_group: int) -> None:
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", rows_per_group)
    write(tmp_path / "train.parquet", SENTENCES)
    sources = open_sources(tmp_path / "train.parquet", 16)
    assert sources.ids.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert sources.lengths.tolist() == [len(sentence) for sentence in SENTENCES]
    for start in range(len(SENTENCES) + 1):
        for stop in range(start, len(SENTENCES) + 1):
            side = sources.read(range(start, stop))
            found = [side.flat[a:b].tolist() for a, b in zip(side.offsets, side.offsets[1:], strict=False)]
            assert found == SENTENCES[start:stop]


def test_an_empty_table(tmp_path: Path) -> None:
    write(tmp_path / "valid.parquet", [])
    sources = open_sources(tmp_path / "valid.parquet", 16)
    assert len(sources.ids) == len(sources.lengths) == 0
    assert sources.read(range(0)).padded(np.arange(0), 0)[0].numel() == 0


@pytest.mark.parametrize("bad", [16, -1])
def test_id_outside_the_vocabulary_in_any_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 2)
    write(tmp_path / "train.parquet", [[4], [5], [6], [7, bad]])
    expected = rf"train\.parquet: the source of sentence 9 holds the id {bad}, but the vocabulary has 16 entries; .*"
    with pytest.raises(StageformerError, match=expected):
        open_sources(tmp_path / "train.parquet", 16)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match="no such file"):
        open_sources(tmp_path / "none.parquet", 16)
