"""SentencePiece models: trained exactly and to the same bytes, and given ones as the library itself uses them."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer.errors import StageformerError
from stageformer.text.form import Form
from stageformer.text.tokenizers.sentencepiece import SentencePieceTokenizer
from tests.families import family

ROOT = Path(__file__).resolve().parents[3]
TYPES = ["unigram", "bpe", "char", "word"]
SENTENCES = ["Turn on the lights.", "Schalte das Licht in der Küche ein!", "the device  {name} is on", "<unk> ▁ ␛", ""]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("abT .,▁␛_#Ġ漢🎉\u0301\n\t<unk>"), max_size=30),
)


@functools.cache
def trained(model_type: str) -> SentencePieceTokenizer:
    options = family("sentencepiece", model_type=model_type, vocabulary_size=50)
    return SentencePieceTokenizer.train(SENTENCES, options)


@pytest.mark.parametrize("model_type", TYPES)
@settings(max_examples=150, deadline=None)
@given(text=TEXT)
@example(" a  b ")
@example("▁␛_ ␛␛ <unk>")
def test_what_is_trained_is_exact(model_type: str, text: str) -> None:
    tokenizer = trained(model_type)
    assert tokenizer.exact
    assert tokenizer.decode(tokenizer.encode_batch([text])[0]) == text


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char"])
@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("".join(SENTENCES)), max_size=30))
def test_a_text_of_seen_characters_has_no_unknown_token(model_type: str, text: str) -> None:
    tokenizer = trained(model_type)
    assert set(tokenizer.encode_batch([text])[0]) <= set(tokenizer.learnt)


@pytest.mark.parametrize("model_type", TYPES)
def test_the_pieces_are_those_of_the_library(model_type: str, tmp_path: Path) -> None:
    tokenizer = trained(model_type)
    tokenizer.save(tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "sentencepiece.model"))
    assert tokenizer.encode_batch(SENTENCES[:3]) == processor.encode(SENTENCES[:3], out_type=str)
    assert tokenizer.learnt == [processor.id_to_piece(index) for index in range(1, processor.get_piece_size())]
    loaded = SentencePieceTokenizer.load(tmp_path, Form())
    assert loaded.encode_batch(["漢字 x", *SENTENCES]) == tokenizer.encode_batch(["漢字 x", *SENTENCES])
    # An unknown word is one token; of other types, so is an unknown character.
    expected = ["▁漢字"] if model_type == "word" else ["漢", "字"]
    assert [token for token in loaded.encode_batch(["漢字"])[0] if token != "▁"] == expected or model_type == "bpe"


def test_a_given_model_does_what_the_library_does(tmp_path: Path) -> None:
    path = tmp_path / "given.model"
    with path.open("wb") as file:  # with the defaults of the library: NFKC, double spaces to one
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES), model_writer=file, vocab_size=60, hard_vocab_limit=False,
            byte_fallback=False, minloglevel=2,
        )  # fmt: skip
    given_model = SentencePieceTokenizer.train(["other"], family("sentencepiece", path=str(path)))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    texts = ["Turn  on the ﬁrst Licht", " das Licht "]
    assert not given_model.exact
    decoded = []
    for text, tokens in zip(texts, given_model.encode_batch(texts), strict=True):
        assert "".join(tokens) == "".join(processor.encode(text, out_type=str))
        decoded.append(given_model.decode(tokens))
    assert decoded == ["Turn on the first Licht", "das Licht"]
    assert "<s>" not in given_model.learnt


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"none\.model: no such file; it should hold a SentencePiece model$"):
        SentencePieceTokenizer.train(["a"], family("sentencepiece", path=str(tmp_path / "none.model")))
    (tmp_path / "bad.model").write_bytes(b"no model")
    with pytest.raises(StageformerError, match=r"bad\.model: not a readable SentencePiece model"):
        SentencePieceTokenizer.train(["a"], family("sentencepiece", path=str(tmp_path / "bad.model")))


TRAINING = """
import sys
from tests.families import family
from tests.text.tokenizers.test_sentencepiece import SENTENCES, TYPES, SentencePieceTokenizer
for name in TYPES:
    made = SentencePieceTokenizer.train(SENTENCES * 20, family("sentencepiece", model_type=name, vocabulary_size=80))
    sys.stdout.buffer.write(made._model)
assert "torch" not in sys.modules
"""


def test_training_twice_gives_the_same_bytes() -> None:
    digests = set()
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        }  # fmt: skip
        run = subprocess.run([sys.executable, "-c", TRAINING], env=environment, capture_output=True, check=True)
        digests.add(hashlib.sha256(run.stdout).hexdigest())
        assert len(run.stdout) > 1000
    assert len(digests) == 1
