"""Hashes against a set of the texts themselves."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.corpus import hashes as module
from stageformer.corpus.hashes import HashSet, hashes

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=12)


def test_hashes_keep_texts_apart() -> None:
    found = hashes([("a", "bc"), ("ab", "c"), ("a\0", "b"), ("a", "\0b"), ("abc",)])
    assert len(set(found.tolist())) == 5
    assert hashes([]).shape == (0,)
    assert hashes([("a",)]).tolist() == hashes([("b",), ("a",)]).tolist()[1:]


@pytest.mark.parametrize("longest", [1, 5, 2**20])
@given(parts=st.lists(TEXTS, max_size=12), others=TEXTS)
def test_a_set_like_any_other(longest: int, parts: list[list[str]], others: list[str]) -> None:
    expected: set[str] = set()
    found = HashSet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONGEST", longest)
        for part in parts:
            is_new = found.add(hashes((text,) for text in part)).tolist()
            for text, new in zip(part, is_new, strict=True):
                assert new == (text not in expected)
                expected.add(text)
    assert len(found) == len(expected)
    asked = [*others, *(text for part in parts for text in part)]
    assert found.contains(hashes((text,) for text in asked)).tolist() == [text in expected for text in asked]
    twice = HashSet()
    twice.update(found)
    twice.update(found)
    assert len(twice) == len(expected)


def test_an_element_costs_8_bytes_and_the_arrays_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 20_000)
    parts = np.random.default_rng(1).integers(2**63, size=(100, 1000), dtype=np.uint64)
    found = HashSet()
    tracemalloc.start()
    try:
        for part in parts:
            found.add(part)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 100_000
    assert held / 100_000 < 8.2
    assert peak / 100_000 < 12
    assert len(found._arrays) < 16
