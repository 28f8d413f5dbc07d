"""The container of sentences: parts, selections and padding, against naive loops."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.batching.sentences import Sentences, flat_places, presence

SENTENCES = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [14, 15], []]

corpora = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6), max_size=12)


@pytest.mark.parametrize("rows", [[0], [1, 0], [3, 2, 0, 1], [2, 2], [4], [4, 1], []])
def test_padded_equals_a_naive_loop(rows: list[int]) -> None:
    ids, present = Sentences.of(SENTENCES).take(np.array(rows, dtype=np.int64)).padded(pad_id=99)
    width = max((len(SENTENCES[row]) for row in rows), default=0)
    assert ids.tolist() == [SENTENCES[row] + [99] * (width - len(SENTENCES[row])) for row in rows]
    assert present.tolist() == [[True] * len(SENTENCES[row]) + [False] * (width - len(SENTENCES[row])) for row in rows]
    assert tuple(ids.shape) == tuple(present.shape) == (len(rows), width)
    assert (str(ids.dtype), str(present.dtype)) == ("torch.int64", "torch.bool")


@given(corpora, st.data())
def test_any_selection_of_any_sentences(sentences: list[list[int]], data: st.DataObject) -> None:
    container = Sentences.of(sentences)
    assert list(container) == sentences
    assert len(container) == len(sentences)
    assert container.lengths.tolist() == [len(sentence) for sentence in sentences]
    rows = data.draw(st.lists(st.integers(0, len(sentences) - 1), max_size=20)) if sentences else []
    assert list(container.take(np.array(rows, dtype=np.int64))) == [sentences[row] for row in rows]
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(sentences))] * 2)))
    part = container.part(range(start, stop))
    assert list(part) == sentences[start:stop]
    assert part.offsets[0] == 0


def test_the_column_of_a_table_and_a_slice_of_it() -> None:
    column = pa.array(SENTENCES, pa.list_(pa.int32()))
    assert list(Sentences.of_column(column)) == SENTENCES
    assert list(Sentences.of_column(column.slice(1, 2))) == SENTENCES[1:3]


@pytest.mark.parametrize("row", [-1, 5, 100])
def test_a_row_that_is_not_there(row: int) -> None:
    with pytest.raises(IndexError):
        Sentences.of(SENTENCES)[row]


def test_presence_to_a_given_width() -> None:
    assert presence(np.array([1, 0, 2]), 3).tolist() == [[True, False, False], [False] * 3, [True, True, False]]


def test_flat_places_are_in_the_order_of_the_batch() -> None:
    assert flat_places(np.array([7, 0, 3]), np.array([2, 3, 0])).tolist() == [7, 8, 0, 1, 2]
