"""Spaces beside punctuation marks."""

from __future__ import annotations

import pytest

from stageformer.text.spacing import join_words


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["Hello", ",", "world", "!"], "Hello, world!"),
        (["a", "(", "b", ")", "c"], "a (b) c"),
        (["isn", "'", "t"], "isn't"),
        (["E", "-", "Mail"], "E-Mail"),
        ([".", "a"], ". a"),
        (["(", "a"], "(a"),
    ],
)
def test_join_words(words: list[str], text: str) -> None:
    assert join_words(words) == text
