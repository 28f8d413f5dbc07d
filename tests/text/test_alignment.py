"""Words found in a text again, and tokens that keep all that is between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stageformer.text.alignment import find_words, tokens_of, tokens_of_words
from stageformer.text.marker import escape, mark, unmark

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("ab ▁␛_#\t\u00a0\n漢\u0301🎉"), max_size=30),
)


def found(text: str, words: list[str]) -> list[str]:
    return [text[start:end] for start, end in find_words(text, words)]


def test_words_are_found_from_left_to_right() -> None:
    assert find_words("a ba a", ["a", "ba", "a"]) == [(0, 1), (2, 4), (5, 6)]
    assert found("x  y\tz", ["x", "y", "z"]) == ["x", "y", "z"]


def test_quotes_of_the_treebank_are_those_of_the_text() -> None:
    assert found("\"a\" ``b''", ["``", "a", "''", "``", "b", "''"]) == ['"', "a", '"', "``", "b", "''"]


def test_a_changed_word_is_in_no_span() -> None:
    assert found("x <3> y", ["x", "♥", "y"]) == ["x", "y"]
    assert tokens_of("x <3> y", find_words("x <3> y", ["x", "♥", "y"])) == ["▁x", "▁<3>", "▁y"]


def test_tokens() -> None:
    assert tokens_of("Hi, you", [(0, 2), (2, 3), (4, 7)]) == ["▁Hi", ",", "▁you"]
    assert tokens_of("a  b\tc ", [(0, 1), (3, 4), (5, 6)]) == ["▁a", "▁", "▁b", "\t", "c", "▁"]
    assert tokens_of(" a", [(1, 2)]) == ["▁", "▁a"]
    assert tokens_of("", []) == []
    assert tokens_of("1 2 three", [(4, 9)]) == ["▁1", "▁2", "▁three"]
    assert tokens_of("(555) 1", [(0, 7)]) == ["▁(555)▁1"]
    assert tokens_of("a▁␛", [(0, 3)]) == ["▁a␛_␛␛"]
    assert tokens_of_words(["a", "b c", "▁"]) == ["▁a", "▁b▁c", "▁␛_"]


@given(text=TEXT, data=st.data())
def test_tokens_of_any_spans_join_to_the_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    tokens = tokens_of(text, spans)
    assert "".join(tokens) == (mark(text) if text else "")
    assert "" not in tokens
    assert unmark("".join(tokens)) == text


@given(text=TEXT)
def test_marking_can_be_undone(text: str) -> None:
    assert unmark(mark(text)) == text
    assert "▁" not in escape(text)
