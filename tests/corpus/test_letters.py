"""The corpus of letters: the same on every machine, and right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stageformer.corpus.ingest import open_corpus
from stageformer.corpus.sources.base import Record
from stageformer.params.ingest import Ingest


def records(make_params: Callable[..., Ingest], **letters: int) -> list[Record]:
    params = make_params(source="letters", letters=letters)
    (source,) = open_corpus(params, Path("nowhere")).values()
    first = list(source)
    assert first == list(source), "it is read more than once"
    return first


def test_every_string_is_copied_and_reversed(make_params: Callable[..., Ingest]) -> None:
    found = records(make_params, strings=200, max_length=5, alphabet=3, seed=7)
    assert len(found) == 400
    for copied, reversed_ in zip(found[::2], found[1::2], strict=True):
        task, *letters = copied.source.split(" ")
        assert task == "copy"
        assert copied.target.split(" ") == letters
        assert reversed_.source.split(" ") == ["reverse", *letters]
        assert "".join(reversed_.target.split(" ")) == "".join(letters)[::-1]
        assert copied.group == reversed_.group == copied.target, "a string is in one split"
    lengths = [len(record.target.split(" ")) for record in found]
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert {letter for record in found for letter in record.target.split(" ")} == set("abc")


def test_the_strings_follow_from_the_seed(make_params: Callable[..., Ingest]) -> None:
    first = records(make_params, strings=3, max_length=6, alphabet=26, seed=1)
    assert [record.source for record in first[::2]] == WRITTEN_DOWN
    assert first != records(make_params, strings=3, max_length=6, alphabet=26, seed=2)


WRITTEN_DOWN = ["copy w", "copy g m l q u", "copy a"]


@pytest.mark.parametrize("name", ["valid", "test"])
def test_a_split_needs_a_share(make_params: Callable[..., Ingest], name: str) -> None:
    with pytest.raises(Exception, match=f"{name}_fraction is 0"):
        make_params(source="letters", **{f"{name}_fraction": 0.0})
