"""Padding of sentence pairs, against a naive loop, and reading them."""

from pathlib import Path

import numpy as np
import pytest

from stageformer.artifacts.tables import write_table
from stageformer.batching.pairs import Pairs, Side, check_lengths, read_pairs
from stageformer.errors import StageformerError
from stageformer.text.vocabulary import Vocabularies, Vocabulary

VOCABULARY = Vocabulary.from_counts({f"token{n:02}": 1 for n in range(16)}, min_frequency=1, max_size=None)
VOCABULARIES = Vocabularies(VOCABULARY, VOCABULARY, shared=True)
SENTENCES = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15]]


def side(sentences: list[list[int]]) -> Side:
    flat = np.array([token for sentence in sentences for token in sentence], dtype=np.int32)
    return Side(flat, np.cumsum([0, *map(len, sentences)]))


@pytest.mark.parametrize("rows", [[0], [1, 0], [3, 2, 0, 1], [2, 2]])
def test_padded_equals_a_naive_loop(rows: list[int]) -> None:
    ids, present = side(SENTENCES).padded(np.array(rows), pad_id=99)
    width = max(len(SENTENCES[row]) for row in rows)
    assert ids.tolist() == [SENTENCES[row] + [99] * (width - len(SENTENCES[row])) for row in rows]
    assert present.tolist() == [
        [True] * len(SENTENCES[row]) + [False] * (width - len(SENTENCES[row])) for row in rows
    ]
    assert str(ids.dtype) == "torch.int64"


@pytest.mark.parametrize("rows", [range(4), range(1, 3), range(3, 4), range(2, 2)])
def test_part(rows: range) -> None:
    part = side(SENTENCES).part(rows)
    assert [part.padded(np.array([row]), 0)[0].tolist() for row in range(len(rows))] == [[SENTENCES[r]] for r in rows]
    assert part.offsets[0] == 0
    assert len(part.lengths) == len(rows)


def test_lengths() -> None:
    assert side(SENTENCES).lengths.tolist() == [3, 1, 5, 2]


def test_read_pairs(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    targets = [[1, 4, 2], [1, 2], [1, 5, 6, 2], [1, 9, 2]]
    write_table(path, "ids", [{"id": [3, 1, 4, 1], "source_ids": SENTENCES, "target_ids": targets}])
    pairs = read_pairs(path, VOCABULARIES)
    assert len(pairs) == 4
    assert pairs.ids.tolist() == [3, 1, 4, 1]
    for row in range(4):
        assert pairs.source.padded(np.array([row]), 0)[0].tolist() == [SENTENCES[row]]
        assert pairs.target.padded(np.array([row]), 0)[0].tolist() == [targets[row]]


def test_read_pairs_of_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "valid.parquet"
    write_table(path, "ids", [])
    assert len(read_pairs(path, VOCABULARIES)) == 0
    assert read_pairs(path, VOCABULARIES).source.lengths.tolist() == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match="no such file"):
        read_pairs(tmp_path / "none.parquet", VOCABULARIES)


@pytest.mark.parametrize("bad", [20, 1000, -1])
def test_id_outside_the_vocabulary(tmp_path: Path, bad: int) -> None:
    path = tmp_path / "train.parquet"
    write_table(path, "ids", [{"id": [7, 8], "source_ids": [[4, 2], [5, 2]], "target_ids": [[1, 4, 2], [1, bad, 2]]}])
    expected = rf"train\.parquet: the target of sentence 8 holds the id {bad}, but the vocabulary has 20 entries; .*"
    with pytest.raises(StageformerError, match=expected):
        read_pairs(path, VOCABULARIES)


def test_too_long_sentences_are_counted_before_training() -> None:
    pairs = Pairs(np.arange(4), side(SENTENCES), side(SENTENCES))
    check_lengths(pairs, "valid", 5)
    with pytest.raises(StageformerError, match=r"valid: 2 source sentences .*max_length \(2 tokens\).* 5 \(id 2\)"):
        check_lengths(pairs, "valid", 2)
