"""True case: the first word as it is written inside of sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer.errors import StageformerError
from stageformer.text.pair import load_tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.true_case import FILE_NAME, TrueCase
from tests.families import family

TEXTS = [
    "The lights in Berlin are on.",
    "Berlin has lights, and the BMW of Anna has none.",
    "In the car of Anna. The car is old. Is the iPhone new?",
    "We may go in May; in May we may go, if we may.",
]
TRUE_CASE = TrueCase.learn(TEXTS)
LETTERS = st.text(st.sampled_from("tThHeE aAbBßŉǆǅıİſ\u0301.,('<{-0漢"), max_size=12)
WORDS = st.lists(
    st.sampled_from(["The", "the", "berlin", "Berlin", "BMW", "bmw", "May", "may", "('", "{x}", "iPhone", "."])
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The car", "the car"),
        ("the car", "the car"),
        ("Berlin is old", "Berlin is old"),
        ("berlin is old", "berlin is old"),
        ("Bmw is old", "BMW is old"),
        ("May we", "may we"),  # four times small, twice a month
        ("Iphone", "iPhone"),
        ("Unheard of", "unheard of"),
        ("NATO is old", "NATO is old"),
        ("(“The car”)", "(“the car”)"),
        ("Don't go. The car", "don't go. The car"),
        ("{Name} is on", "{Name} is on"),
        ("<b>The car</b>", "<b>The car</b>"),
        ("3 Lights", "3 Lights"),
        ("", ""),
    ],
)
def test_values(text: str, expected: str) -> None:
    assert TRUE_CASE.apply(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the car", "The car"),
        ("Berlin", "Berlin"),
        ("berlin", "berlin"),  # a capital would say the name
        ("iPhone", "iPhone"),
        ("(the", "(The"),
        ("ßa", "ßa"),  # its capital is two letters
        ("{name}", "{name}"),
        ("", ""),
    ],
)
def test_restored(text: str, expected: str) -> None:
    assert TRUE_CASE.restore(text) == expected


def test_the_first_word_of_a_sentence_teaches_nothing() -> None:
    assert TrueCase.learn(["House of cards. House of", "a house"]).apply("House") == "house"
    assert TrueCase.learn(["a House", "a house", "the House"]).apply("House") == "House"
    assert TrueCase.learn(["a House", "a house"]).apply("House") == "House", "of equal counts the first by code"


@settings(max_examples=500, deadline=None)
@given(text=LETTERS | WORDS.map(" ".join))
@example("ı")
@example("İ")
@example("(' Berlin")
def test_a_restored_text_is_cut_into_the_same_tokens(text: str) -> None:
    once = TRUE_CASE.apply(text)
    assert TRUE_CASE.apply(once) == once
    assert TRUE_CASE.apply(TRUE_CASE.restore(once)) == once
    assert TRUE_CASE.restore(TRUE_CASE.restore(once)) == TRUE_CASE.restore(once)


@pytest.mark.parametrize(
    "kind", ["bpe", "byte_bpe", "char", "none", "unigram", "word", "wordpiece", "sentencepiece", "cut"]
)
def test_every_family(kind: str, tmp_path: Path) -> None:
    options = family(kind, case="true", vocabulary_size=120)
    made = train_tokenizers(TEXTS, ["Ein Auto", "das Auto"], options, family("char"))
    save_tokenizers(made, tmp_path)
    tokenizers = load_tokenizers(tmp_path)
    capital, small, inside = tokenizers.source.encode_batch(["The car", "the car", "Is The car"])
    assert capital == small
    assert capital != inside[-len(capital) :]
    assert tokenizers.source.decode(capital) == "The car"
    assert tokenizers.source.join(capital) == tokenizers.source.form.apply("The car") == "the car"
    assert tokenizers.target.encode_batch(["Ein"]) == [["E", "i", "n"]], "the other side keeps its case"


def test_another_table_is_another_tokenizer(tmp_path: Path) -> None:
    options = family("char", case="true")
    parts = [
        save_tokenizers(train_tokenizers(texts, ["x"], options, None), tmp_path / str(number)).parts["tokenizer"][0]
        for number, texts in enumerate([["an Apple", "Pie"], ["an apple", "Pie"]])
    ]
    assert parts[0] != parts[1]


@pytest.mark.parametrize("content", ["[]", '{"berlin": 1}', '{"berlin": "Paris"}', "{"])
def test_damaged(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(StageformerError, match=FILE_NAME):
        TrueCase.load(tmp_path)
