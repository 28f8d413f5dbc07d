"""What is done to a text before it is cut, in Python and in the components of the library."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from stageformer.errors import StageformerError
from stageformer.text.form import Form

FORMS = [Form(case, normalisation) for case in ("keep", "lower") for normalisation in ("none", "nfc", "nfkc")]
LETTERS = st.text(st.sampled_from("aAÀ\u0300\u0301İıΣσςﬁ①½Ǆ가가 ,.ßẞÅÅ"), max_size=20)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (Form(), "A\u0300 ﬁ ①", "A\u0300 ﬁ ①"),
        (Form("keep", "nfc"), "A\u0300 ﬁ ①", "À ﬁ ①"),
        (Form("keep", "nfkc"), "A\u0300 ﬁ ①", "À fi 1"),
        (Form("lower", "none"), "ΟΔΟΣ A\u0301", "οδος á"),
        (Form("lower", "nfkc"), "ＡＢＣ½", "abc1⁄2"),
    ],
)
def test_values(form: Form, text: str, expected: str) -> None:
    assert form.apply(text) == expected


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=100, deadline=None)
@given(text=LETTERS)
@example("İ\u0300")
def test_the_library_does_the_same_and_twice_changes_nothing(form: Form, text: str) -> None:
    once = form.apply(text)
    assert form.apply(once) == once
    assert normalizers.Sequence(form.components()).normalize_str(text) == once


def test_true_case_cannot_be_expressed_in_the_library() -> None:
    with pytest.raises(StageformerError, match="case 'true'"):
        Form("true").components()
