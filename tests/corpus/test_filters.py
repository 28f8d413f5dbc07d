from __future__ import annotations

import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stageformer.corpus.filters import FILTERS, has_letters, why_dropped
from stageformer.errors import StageformerError
from stageformer.text.normalisation import normalise


@given(st.text())
def test_normalise_changes_composition_and_white_space_alone(text: str) -> None:
    normal = normalise(text)
    assert normalise(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert normal == " ".join(normal.split())
    assert "".join(unicodedata.normalize("NFD", normal).split()) == "".join(unicodedata.normalize("NFD", text).split())


def test_normalise() -> None:
    assert normalise("  Cafe\u0301\n\tzum\u2028\u00a0Bären ") == "Café zum Bären"


@pytest.mark.parametrize("text", ["{name} is on", "<b>Bold</b>", "日本", "{n, plural, one {# x} other {y}}", "5 km"])
def test_letters(text: str) -> None:
    assert has_letters(text)


@pytest.mark.parametrize("text", ["{name}", "{a} - {b}", "<br/>", "42 %", "…", "https://example.org/x", "{a}: <b>{c}"])
def test_no_letters(text: str) -> None:
    assert not has_letters(text)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Yes", "Ja", None),
        ("Yes", "", "empty"),
        ("Yes", "{name}", "no_letters"),
        ("Name", "Name", "equal_sides"),
        ("Name", "NAME", None),
        ("a" * 100, "b" * 100, None),
        ("a" * 101, "b" * 100, "too_long"),
        ("a" * 100, "b" * 101, "too_long"),
        ("a" * 10, "b" * 50, None),  # (50 + 10) / (10 + 10) is 3, the limit
        ("a" * 10, "b" * 51, "length_ratio"),
        ("a" * 51, "b" * 10, "length_ratio"),
    ],
)
def test_reasons(make_params, source: str, target: str, reason: str | None) -> None:
    assert why_dropped(source, target, make_params()) == reason


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("535+61", "596", "no_letters"),
        ("Name", "Name", "equal_sides"),
        ("a" * 101, "b" * 100, "too_long"),
        ("A long review of a film", "positive", "length_ratio"),
    ],
)
def test_every_filter_can_be_switched_off(make_params, source: str, target: str, reason: str) -> None:
    strict = {"max_length_ratio": 1.5}
    assert why_dropped(source, target, make_params(**strict)) == reason
    parameter, value = FILTERS[reason].split(": ")
    off = {parameter: yaml.safe_load(value)}
    assert why_dropped(source, target, make_params(**strict | off)) is None


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Stop!!!", "Halt!!!!", None),
        ("Stop!!!!!", "Halt", "repeated_characters"),
        ("Halt", "Stooooop", "repeated_characters"),
        ("Lines\n\n\n\n\nhere", "Zeilen hier", "repeated_characters"),
    ],
)
def test_repeated_characters(make_params, source: str, target: str, reason: str | None) -> None:
    assert why_dropped(source, target, make_params(max_repeats=4)) == reason
    assert why_dropped(source, target, make_params(**off(reason))) is None


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("The weather is fine today, so we take a walk.", "Das Wetter ist heute schön, wir gehen spazieren.", None),
        ("The weather is fine today, so we take a walk.", "The weather was fine yesterday.", "other_language"),
        ("Das Wetter ist heute schön, wir gehen spazieren.", "Wir bleiben heute lieber zu Hause.", "other_language"),
        ("The weather is fine today, so we take a walk.", None, None),
        # What is between braces and angle brackets is in no language.
        ("This is <b>{unser_eigener_und_langer_name}</b> house", "Das ist unser eigenes Haus", None),
    ],
)
def test_languages(make_params, source: str, target: str | None, reason: str | None) -> None:
    params = make_params(language_identifier="py3langid", min_language_probability=0.1, max_length_ratio=None)
    assert why_dropped(source, target, params) == reason
    assert why_dropped(source, target, make_params(max_length_ratio=None, **off(reason))) is None


def off(reason: str | None) -> dict[str, object]:
    """The parameter that switches a filter off."""
    if reason is None:
        return {}
    parameter, value = FILTERS[reason].split(": ")
    return {parameter: yaml.safe_load(value)}


def test_a_language_that_is_not_known(make_params) -> None:
    params = make_params(language_identifier="py3langid", source_language="qq")
    with pytest.raises(StageformerError, match=r"py3langid does not know the language 'qq'.*; it knows ace, af, "):
        why_dropped("Some text", "Ein Text", params)
    assert why_dropped("Some more English text", "Noch ein deutscher Text", make_params(
        language_identifier="py3langid", source_language="en-GB", min_language_probability=0.1
    )) is None  # fmt: skip
