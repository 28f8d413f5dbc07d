import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.scoring.metrics import repeats, repetition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("the", False),
        ("the the", True),
        ("The the", False),
        ("the cat the dog the", False),
        ("a b a b", True),
        ("x a b c a b c y", True),
        ("x a b c a b y", False),
        ("a b  a\tb", True),
        ("aa", False),
    ],
)
def test_an_n_gram_that_directly_follows_itself(text, expected):
    assert repeats(text) is expected


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_as_a_regular_expression_finds_it(words):
    text = " ".join(words)
    assert repeats(text) == bool(re.search(r"(?:^| )(\S+(?: \S+)*) \1(?: |$)", text))


def test_what_a_reference_repeats_as_well_is_no_mistake():
    translations = ["so so lala", "so so lala", "ganz gut", "Wort Wort Wort"]
    references = [["so lala"], ["ganz gut", "na ja so so"], ["gut"], ["Wort"]]
    assert repetition(translations, references) == 50
