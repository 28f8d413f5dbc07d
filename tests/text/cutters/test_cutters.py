"""Every cutter with its own library: its words, what it loses, the data and the versions it depends on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer.errors import StageformerError
from stageformer.params.choices import kinds
from stageformer.text.cutters.base import Cutter, CutterOptions
from stageformer.text.cutting import check_cutter, cutter_class, open_cutter

NAMES = kinds("stageformer.text.cutters")
WITH_MODELS = ["corenlp", "stanza"]  # which no package brings
WITH_PUNKT = ["nltk_punkt", "textblob"]
FREE = [name for name in NAMES if name not in {*WITH_MODELS, *WITH_PUNKT}]
LOSSY = [name for name in NAMES if cutter_class(name).lost]
SENTENCE = "He said: \"Don't go to www.example.com, Dr. Smith!\" It cost $3.50 (or 1,000)."


@functools.cache
def opened(name: str, language: str | None = "en", path: str | None = None) -> Cutter:
    return open_cutter(name, CutterOptions(language, path))


def error(call: Callable[[], object]) -> str:
    with pytest.raises(StageformerError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nltk", "He said : `` Do n't go to www.example.com , Dr. Smith ! '' It cost $ 3.50 ( or 1,000 ) ."),
        ("nltk_treebank", "He said : `` Do n't go to www.example.com , Dr. Smith ! '' It cost $ 3.50 ( or 1,000 ) ."),
        ("nltk_wordpunct",
         "He said : \" Don ' t go to www . example . com , Dr . Smith !\" It cost $ 3 . 50 ( or 1 , 000 )."),
        ("nltk_tweet", "He said : \" Don't go to www.example.com , Dr . Smith ! \" It cost $ 3.50 ( or 1,000 ) ."),
        ("nltk_toktok",
         "He said : \" Don ' t go to www.example.com , Dr. Smith ! \" It cost $ 3.50 ( or 1,000 ) ."),
        ("spacy", "He said : \" Do n't go to www.example.com , Dr. Smith ! \" It cost $ 3.50 ( or 1,000 ) ."),
        ("moses", "He said : \" Don 't go to www.example.com , Dr. Smith ! \" It cost $ 3.50 ( or 1,000 ) ."),
        ("pyonmttok", "He said : \" Don ' t go to www.example.com , Dr . Smith ! \" It cost $ 3.50 ( or 1,000 ) ."),
        ("gensim", "He said Don t go to www example com Dr Smith It cost or"),
        ("gensim_simple", "he said don go to www example com dr smith it cost or"),
        ("keras", "he said don't go to www example com dr smith it cost 3 50 or 1 000"),
    ],
)  # fmt: skip
def test_words(name: str, words: str) -> None:
    assert opened(name).words(SENTENCE) == words.split()


@pytest.mark.parametrize("name", [name for name in FREE if name not in LOSSY])
def test_spans_are_those_of_the_words_but_for_the_quotes_of_the_treebank(name: str) -> None:
    cutter = opened(name)
    quotes = {"``": '"', "''": '"'}
    found = [SENTENCE[start:end] for start, end in cutter.spans(SENTENCE)]
    assert found == [quotes.get(word, word) for word in cutter.words(SENTENCE)]


def test_languages_have_rules_of_their_own() -> None:
    assert opened("moses", "de").words("am 3. Mai bzw. im Juni.") == ["am", "3.", "Mai", "bzw.", "im", "Juni", "."]
    assert opened("moses", "en").words("am 3. Mai im Juni.") == ["am", "3", ".", "Mai", "im", "Juni", "."]
    assert opened("spacy", "de").words("Es ist z.B. hier.") == ["Es", "ist", "z.B.", "hier", "."]
    assert opened("spacy", "en").words("Es ist z.B. hier.") == ["Es", "ist", "z.", "B.", "hier", "."]
    assert opened("spacy", "ja").words("自然言語処理を学ぶ。") == ["自然", "言語", "処理", "を", "学ぶ", "。"]
    assert opened("spacy", "th").words("ภาษาไทยง่าย") == ["ภาษาไทย", "ง่าย"]
    assert opened("spacy", "zh").words("你好 a") == ["你", "好", "a"]


def test_punkt_ends_sentences_but_not_at_abbreviations(nltk_data: Path) -> None:
    text = "He saw Dr. Smith. They left."
    assert opened("nltk").words(text) == ["He", "saw", "Dr.", "Smith.", "They", "left", "."]
    words = ["He", "saw", "Dr.", "Smith", ".", "They", "left", "."]
    for name in WITH_PUNKT:
        assert opened(name, path=str(nltk_data)).words(text) == words
    assert opened("nltk_punkt", "de", str(nltk_data)).words("Prof. Dr. Meier kam. Er") == [
        "Prof.", "Dr.", "Meier", "kam", ".", "Er",
    ]  # fmt: skip


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("aAb1_ .,!?'\"&;#@()<>\u0301\u200d漢か🎉\n\t\u00a0İẞΣ"), max_size=30),
    st.lists(st.sampled_from(["don't", "e-mail", "&amp;", "1,000.5", ":-)", "_a", "İ", "ΑΣ", "a\x00b"])).map(" ".join),
)


@pytest.mark.parametrize("name", LOSSY)
@settings(max_examples=150, deadline=None)
@given(text=TEXT)
@example("_ab A_b ___ a1b abcdefghijklmnopqrstuvwxyz")
@example("İSTANBUL ΟΔΟΣ a\u00a0b")
def test_what_is_left_of_a_text_has_the_same_words(name: str, text: str) -> None:
    words = opened(name).words(text)
    assert opened(name).words(" ".join(words)) == words
    assert all(word and " " not in word for word in words)


@pytest.mark.parametrize("name", [name for name in FREE if name not in LOSSY])
@settings(max_examples=100, deadline=None)
@given(text=TEXT)
@example("a  b\u00a0c &lt; ´x ｟a￭b｠")
def test_spans_are_in_order_and_hold_text(name: str, text: str) -> None:
    done = 0
    for start, end in opened(name).spans(text):
        assert done <= start < end <= len(text)
        done = end


@pytest.mark.parametrize("name", FREE)
def test_versions_are_those_of_the_packages(name: str) -> None:
    versions = opened(name).own_versions()
    assert versions.keys() == set(opened(name).distributions or ["spacy"])
    assert all(version[0].isdigit() for version in versions.values())


def test_other_data_is_another_version(nltk_data: Path, tmp_path: Path) -> None:
    before = opened("nltk_punkt", path=str(nltk_data)).own_versions()
    assert before.keys() == {"nltk", "punkt_tab"}
    assert opened("nltk_punkt", "en", str(nltk_data)).own_versions() == before
    folder = nltk_data / "tokenizers/punkt_tab/english"
    path = folder / "abbrev_types.txt"
    content = path.read_text()
    try:
        path.write_text(content + "xyz\n")
        assert opened("nltk_punkt", path=str(nltk_data)).own_versions() != before
    finally:
        path.write_text(content)


@pytest.mark.parametrize("name", WITH_PUNKT)
def test_without_punkt_there_is_one_line(name: str, tmp_path: Path) -> None:
    for call in (check_cutter, open_cutter):
        message = error(lambda call=call: call(name, CutterOptions("en", str(tmp_path))))  # type: ignore[misc]
        assert message.startswith(f"the cutter {name} needs the data punkt_tab, and there is no tokenizers/punkt_tab/")
        assert f"english in {tmp_path}; no package brings it: run `python -m nltk.downloader -d FOLDER" in message


def test_stanza_says_what_is_missing(tmp_path: Path) -> None:
    message = error(lambda: open_cutter("stanza", CutterOptions("de", str(tmp_path))))
    assert f"needs its models, and there is no {tmp_path}/resources.json" in message
    assert "stanza.download('de', model_dir='FOLDER')" in message
    assert "needs a language and got null" in error(lambda: check_cutter("stanza", CutterOptions(None, str(tmp_path))))
    (tmp_path / "resources.json").write_text("{}")
    (tmp_path / "de/tokenize").mkdir(parents=True)
    check_cutter("stanza", CutterOptions("de", str(tmp_path)))
    # From here on, Stanza itself speaks.
    assert "Stanza cannot load its models from there" in error(
        lambda: open_cutter("stanza", CutterOptions("de", str(tmp_path)))
    )


def test_corenlp_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = CutterOptions("en", str(tmp_path))
    assert f"there is no stanford-corenlp-*.jar in {tmp_path}" in error(lambda: open_cutter("corenlp", options))
    (tmp_path / "stanford-corenlp-4.5.7.jar").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert error(lambda: check_cutter("corenlp", options)).endswith("there is no command `java`")
    (tmp_path / "java").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "java").chmod(0o755)
    assert "CoreNLP does not start from there" in error(lambda: open_cutter("corenlp", options))


def test_unknown_names() -> None:
    assert error(lambda: open_cutter("spacey", CutterOptions())).startswith(
        "unknown cutter 'spacey' (did you mean 'spacy'?); known: corenlp, "
    )
    assert "the cutter moses needs a language and got 'dee' (did you mean 'de'?)" in error(
        lambda: check_cutter("moses", CutterOptions("dee"))
    )
    assert "the cutter spacy needs a language and got null" in error(lambda: check_cutter("spacy", CutterOptions()))
    assert "`pip install pyvi`" in error(lambda: check_cutter("spacy", CutterOptions("vi")))
    assert "nltk_punkt needs a language and got 'xx'" in error(lambda: check_cutter("nltk_punkt", CutterOptions("xx")))
