"""Tables of ids: pairs in memory, and sources read some rows at a time, against the whole table."""

from pathlib import Path

import numpy as np
import pytest

from stageformer.artifacts import tables
from stageformer.artifacts.tables import write_table
from stageformer.batching.pairs import Pairs, check_lengths, open_sources, read_pairs
from stageformer.batching.sentences import Sentences
from stageformer.errors import StageformerError
from stageformer.text.vocabulary import Vocabularies, Vocabulary

VOCABULARY = Vocabulary.from_counts({f"token{n:02}": 1 for n in range(16)}, min_frequency=1, max_size=None)
VOCABULARIES = Vocabularies(VOCABULARY, VOCABULARY, shared=True)
SENTENCES = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15], [2], [4], [7, 7]]
TARGETS = [[1, 4, 2], [1, 2], [1, 5, 6, 2], [1, 9, 2], [1, 2], [1, 4, 2], [1, 2]]


def write(path: Path, sources: list[list[int]]) -> None:
    ids = [3 * number for number in range(len(sources))]
    write_table(path, "ids", [{"id": ids, "source_ids": sources, "target_ids": [[1, 2]] * len(ids)}])


def test_read_pairs(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write_table(path, "ids", [{"id": [3, 1, 4, 0, 5, 9, 2], "source_ids": SENTENCES, "target_ids": TARGETS}])
    pairs = read_pairs(path, VOCABULARIES)
    assert len(pairs) == 7
    assert pairs.ids.tolist() == [3, 1, 4, 0, 5, 9, 2]
    assert list(pairs.source) == SENTENCES
    assert list(pairs.target) == TARGETS


def test_read_pairs_of_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "valid.parquet"
    write_table(path, "ids", [])
    assert len(read_pairs(path, VOCABULARIES)) == 0
    assert read_pairs(path, VOCABULARIES).source.lengths.tolist() == []


@pytest.mark.parametrize("rows_per_group", [1, 2, 3, 7, 100])
def test_any_part_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_group: int) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", rows_per_group)
    write(tmp_path / "train.parquet", SENTENCES)
    sources = open_sources(tmp_path / "train.parquet", 16)
    assert sources.ids.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert sources.lengths.tolist() == [len(sentence) for sentence in SENTENCES]
    for start in range(len(SENTENCES) + 1):
        for stop in range(start, len(SENTENCES) + 1):
            assert list(sources.part(range(start, stop))) == SENTENCES[start:stop]


def test_the_sources_of_an_empty_table(tmp_path: Path) -> None:
    write(tmp_path / "valid.parquet", [])
    sources = open_sources(tmp_path / "valid.parquet", 16)
    assert len(sources) == len(sources.lengths) == 0
    assert len(sources.part(range(0))) == 0


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match="no such file"):
        read_pairs(tmp_path / "none.parquet", VOCABULARIES)
    with pytest.raises(StageformerError, match="no such file"):
        open_sources(tmp_path / "none.parquet", 16)


@pytest.mark.parametrize("bad", [20, 1000, -1])
def test_id_outside_the_vocabulary(tmp_path: Path, bad: int) -> None:
    path = tmp_path / "train.parquet"
    write_table(path, "ids", [{"id": [7, 8], "source_ids": [[4, 2], [5, 2]], "target_ids": [[1, 4, 2], [1, bad, 2]]}])
    expected = rf"train\.parquet: the target of sentence 8 holds the id {bad}, but the vocabulary has 20 entries; .*"
    with pytest.raises(StageformerError, match=expected):
        read_pairs(path, VOCABULARIES)


@pytest.mark.parametrize("bad", [16, -1])
def test_id_outside_the_vocabulary_in_any_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 2)
    write(tmp_path / "train.parquet", [[4], [5], [6], [7, bad]])
    expected = rf"train\.parquet: the source of sentence 9 holds the id {bad}, but the vocabulary has 16 entries; .*"
    with pytest.raises(StageformerError, match=expected):
        open_sources(tmp_path / "train.parquet", 16)


def test_too_long_sentences_are_counted_before_training() -> None:
    sentences = Sentences.of(SENTENCES[:4])
    pairs = Pairs(np.arange(4), sentences, sentences)
    check_lengths(pairs, "valid", 5)
    with pytest.raises(StageformerError, match=r"valid: 2 source sentences .*max_length \(2 tokens\).* 5 \(id 2\)"):
        check_lengths(pairs, "valid", 2)
