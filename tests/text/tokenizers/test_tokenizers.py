"""Every family of tokenizers: round trips over any Unicode text, unseen characters, determinism, files."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer.errors import StageformerError
from stageformer.params.base import kinds as kinds_of
from stageformer.params.choices import kinds
from stageformer.params.tokenize import Tokenize
from stageformer.text.form import Form
from stageformer.text.pair import tokenizer_class
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.families import family

ROOT = Path(__file__).resolve().parents[3]
ALL = kinds("stageformer.text.tokenizers")
KINDS = [kind for kind in ALL if kind != "pretrained"]  # which learns nothing from a corpus
CORPUS = [
    "Turn on the lights in the kitchen.",
    "Turn off the lights, please!",
    "Schalte das Licht in der Küche ein.",
    "Schalte bitte das Licht aus!",
    "The device {name} isn't available (yet).",
    "Das Gerät {name} ist nicht verfügbar.",
    "re-entering e-mail lights kitchens",
    "<unk> <eos> <unk> <eos> [UNK] ## ##a",
]
EXACT = [kind for kind in KINDS if tokenizer_class(kind).exact]
LOSSY = [kind for kind in KINDS if not tokenizer_class(kind).exact]
TRAINED = ["bpe", "unigram", "wordpiece", "byte_bpe"]

# Any text without surrogates, which no UTF-8 file can hold, with a bias to what has a meaning somewhere in the code.
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(st.sampled_from("aAbtT .,!?'\"()<>/▁␛_#ĠİẞΣς{}[]\u0301\u200d漢か🎉\n\t\u3000"), max_size=40),
    st.lists(
        st.sampled_from(
            [
                "<unk>",
                "<eos>",
                "[UNK]",
                "##a",
                "##",
                "▁",
                "␛",
                "␛_",
                "▁<unk>▁",
                "<br",
                "/>",
                "lights",
                "Küche",
                "漢字",
                "🎉",
            ]
        ),
        max_size=6,
    ).map(" ".join),
)


@functools.cache
def trained(kind: str, lowercase: bool = False) -> Tokenizer:
    return tokenizer_class(kind).train(CORPUS, family(kind, vocabulary_size=300, case="lower" if lowercase else "keep"))


def encode(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.encode_batch([text])[0]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kind", EXACT)
@settings(max_examples=150, deadline=None)
@given(text=TEXT)
@example("")
@example(" ")
@example(" a  b ")
@example("▁")
@example("␛▁␛_ ␛␛")
@example("a<unk>b ▁<unk>▁")
@example("漢字 lights🎉🎉 Küche")
@example("İstanbul ΟΔΟΣ")
def test_round_trip_is_exact(kind: str, lowercase: bool, text: str) -> None:
    tokenizer = trained(kind, lowercase)
    assert tokenizer.decode(encode(tokenizer, text)) == tokenizer.form.apply(text)


@pytest.mark.parametrize("kind", LOSSY)
@settings(max_examples=300, deadline=None)
@given(text=TEXT)
@example("0 } { 0 - 1")
@example("<br <br /> /> x<br ; />y")
@example('isn\'t "it" ( a ) ; b : c')
@example("##a [UNK] ## lights##s")
@example("x" * 300)
def test_decoded_text_has_the_same_tokens(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    tokens = encode(tokenizer, text)
    decoded = tokenizer.decode(tokens)
    assert encode(tokenizer, decoded) == tokens
    assert tokenizer.decode(encode(tokenizer, decoded)) == decoded


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(tokens=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8))
@example(["<unk>", "a", "<unk>"])
@example(["##a", "▁b", "Ã"])
def test_any_tokens_decode(kind: str, tokens: list[str]) -> None:
    assert isinstance(trained(kind).decode(tokens), str)


@pytest.mark.parametrize("kind", KINDS)
def test_lowercase_is_composed_and_idempotent(kind: str) -> None:
    tokenizer = trained(kind, lowercase=True)
    assert encode(tokenizer, "KÜCHE") == encode(tokenizer, "küche")
    text = tokenizer.form.apply("A\u0301bc İ")
    assert text == tokenizer.form.apply(text)
    assert text.startswith("ábc")
    assert trained(kind).form.apply("Küche") == "Küche"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_unseen_characters_are_tokens_of_their_own(kind: str) -> None:
    tokens = encode(trained(kind), "lights漢字 🎉on")
    assert [token for token in tokens if token in "漢字🎉"] == ["漢", "字", "🎉"]
    assert "▁<unk>▁" not in tokens


def test_wordpiece_keeps_a_word_with_an_unseen_character_whole() -> None:
    assert encode(trained("wordpiece"), "lights li漢ghts")[-1] == "li漢ghts"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_punctuation_is_no_part_of_a_word(kind: str) -> None:
    assert encode(trained(kind), "lights, lights.") == ["▁lights", ",", "▁lights", "."]


def test_word_is_basic_english() -> None:
    text = 'Isn\'t this: (a) "test"; or,<br />not?'
    words = ["Isn", "'", "t", "this", "(", "a", ")", "test", "or", ",", "not", "?"]
    assert encode(trained("word"), text) == words
    assert encode(trained("word", lowercase=True), text) == [word.lower() for word in words]


@pytest.mark.parametrize("kind", LOSSY)
def test_usual_sentences_come_back(kind: str) -> None:
    tokenizer = trained(kind)
    for text in CORPUS[:4]:
        assert tokenizer.decode(encode(tokenizer, text)) == text


@pytest.mark.parametrize("kind", TRAINED)
def test_saved_and_loaded_is_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer = trained(kind)
    tokenizer.save(tmp_path)
    loaded = tokenizer_class(kind).load(tmp_path, Form())
    texts = [*CORPUS, "unseen 漢字 words", ""]
    assert loaded.encode_batch(texts) == tokenizer.encode_batch(texts)
    assert loaded.size == tokenizer.size
    # The file serves the library on its own, too.
    alone = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert alone.encode(tokenizer.prepare(CORPUS[0])).tokens == encode(tokenizer, CORPUS[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", TRAINED)
def test_the_size_is_at_most_what_was_asked(kind: str) -> None:
    size = trained(kind).size
    assert size is not None
    assert 60 < size <= 300


@pytest.mark.parametrize("kind", TRAINED)
@pytest.mark.parametrize("sentences", [["a"], ["漢字 かな"], ["aaaa aaaa"], [" "], ["a", ""]])
def test_the_smallest_corpora(kind: str, sentences: list[str]) -> None:
    tokenizer = tokenizer_class(kind).train(sentences, family(kind, vocabulary_size=8))
    if tokenizer.exact:
        assert [tokenizer.decode(tokens) for tokens in tokenizer.encode_batch(sentences)] == sentences


TRAINING = """
import sys
from pathlib import Path
from stageformer.text.pair import tokenizer_class
from tests.families import family
import random
words = random.Random(1)
syllables = ["ka", "ti", "mo", "su", "re", "li", "ön", "ß"]
sentences = [" ".join("".join(words.choices(syllables, k=words.randint(1, 4))) for _ in range(8)) for _ in range(400)]
for kind in sys.argv[2:]:
    tokenizer_class(kind).train(sentences, family(kind, vocabulary_size=200)).save(Path(sys.argv[1], kind))
assert "torch" not in sys.modules
"""


def test_training_gives_the_same_bytes_with_any_threads_and_hash_seed(tmp_path: Path) -> None:
    digests = []
    for run, threads in enumerate(["1", "2", "5"]):
        folder = tmp_path / str(run)
        environment = os.environ | {
            "RAYON_NUM_THREADS": threads,
            "PYTHONHASHSEED": str(run),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }
        subprocess.run([sys.executable, "-c", TRAINING, str(folder), *TRAINED], check=True, env=environment)
        files = [folder / kind / "tokenizer.json" for kind in TRAINED]
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1] == digests[2]


def unknown(kind: str, text: str) -> list[str]:
    """Return the tokens of a text that have no id, where the vocabulary is that of the stage vocab by default."""
    tokenizer, vocabulary = with_vocabulary(kind)
    return [token for token in encode(tokenizer, text) if token not in vocabulary and token not in SPECIAL_TOKENS]


@functools.cache
def with_vocabulary(kind: str) -> tuple[Tokenizer, Vocabulary]:
    tokenizer = trained(kind)
    counts = Counter(dict.fromkeys(tokenizer.learnt, 0))
    counts.update(token for tokens in tokenizer.encode_batch(CORPUS) for token in tokens)
    return tokenizer, Vocabulary.from_counts(counts, min_frequency=0, max_size=None)


SEEN = sorted({character for text in CORPUS for character in text})


# The tokens of `word` are whole words: a new one of known letters is as unknown as any.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("word", "none")])
@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from(SEEN), max_size=60))
def test_text_of_seen_characters_has_no_unknown_tokens(kind: str, text: str) -> None:
    assert unknown(kind, text) == []


@settings(max_examples=200, deadline=None)
@given(text=TEXT)
@example("today 🎉 low new owe")
def test_no_text_is_unknown_to_bytes(text: str) -> None:
    assert unknown("byte_bpe", text) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_is_there_once_and_without_the_unknown_piece(kind: str) -> None:
    tokenizer = trained(kind)
    assert len(set(tokenizer.learnt)) == len(tokenizer.learnt) == (tokenizer.size or 0)
    assert getattr(tokenizer, "unknown", None) not in tokenizer.learnt


def test_unknown_kind() -> None:
    with pytest.raises(StageformerError, match=r"unknown kind 'bep' of tokenizers \(did you mean 'bpe'\?\)"):
        tokenizer_class("bep")


def test_the_parameter_and_the_classes_have_the_names_of_the_files() -> None:
    for side in ("source", "target"):
        assert sorted(kinds_of(Tokenize.model_fields[side])) == ALL
    assert [tokenizer_class(kind).kind for kind in ALL] == ALL


def test_a_family_is_imported_only_when_it_is_chosen() -> None:
    code = (
        "import sys, stages.tokenize; from stageformer.text.pair import tokenizer_class; "
        "found = lambda: [name for name in sys.modules if name.startswith('stageformer.text.tokenizers.')]; "
        "print(found()); tokenizer_class('char'); print(found(), 'tokenizers' in sys.modules, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    base, char = (f"stageformer.text.tokenizers.{name}" for name in ("base", "char"))
    assert run.stdout.splitlines() == [f"{[base]}", f"{[base, char]} False False"]
