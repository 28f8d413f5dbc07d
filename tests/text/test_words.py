"""Which tokens the words of a text are in, over the families of tokenizers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as LibraryTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers

from stageformer.text.form import Form
from stageformer.text.pair import tokenizer_class
from stageformer.text.tokenizers.pretrained import PretrainedTokenizer, _HuggingFace
from stageformer.text.words import word_tokens
from tests.families import family

KINDS = ["char", "byte_bpe", "word", "bpe", "unigram", "wordpiece"]
TRAIN = ["unable to connect to the server", "the the theory", "a", "größer \u4e2d\u6587 !", "lights on, doors off"]
TOKENIZERS = {kind: tokenizer_class(kind).train(TRAIN, family(kind)) for kind in KINDS}
WORDS = st.text(st.sampled_from("abcehnorstuöß\u4e2d\u6587,!"), min_size=1, max_size=9)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=6))
def test_the_tokens_of_a_word_decode_to_a_text_that_holds_it(kind: str, words: list[str]) -> None:
    tokenizer = TOKENIZERS[kind]
    text = " ".join(words)
    (tokens,) = tokenizer.encode_batch([text])
    spans = word_tokens(text, tokens, tokenizer)
    decoded = tokenizer.decode(tokens)
    if len(decoded) != len(text):
        # Then each word has the tokens that it has alone, if anything tells where it is.
        if spans is not None:
            alone = tokenizer.encode_batch(words)
            assert [tokens[first:stop] for first, stop in spans] == alone
            assert [token for of_word in alone for token in of_word] == tokens
        return
    if spans is None:  # a character in several tokens, the first of which decode to something longer
        assert kind == "byte_bpe"
        return
    assert len(spans) == len(words)
    assert spans == sorted(spans)
    start = 0
    for word, (first, stop) in zip(words, spans, strict=True):
        start = text.index(word, start)
        end = start + len(word)
        assert 0 <= first < stop <= len(tokens)
        # The text up to the first token ends before the word or where it begins, and with the last it reaches its end.
        assert len(tokenizer.decode(tokens[:first])) <= start < len(tokenizer.decode(tokens[: first + 1]))
        assert len(tokenizer.decode(tokens[: stop - 1])) < end <= len(tokenizer.decode(tokens[:stop]))
        start = end


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_keeps_where_the_words_of_its_corpus_are(kind: str) -> None:
    for text in TRAIN[:3]:
        (tokens,) = TOKENIZERS[kind].encode_batch([text])
        assert word_tokens(text, tokens, TOKENIZERS[kind]) is not None


def bert() -> PretrainedTokenizer:
    """As that of BERT: it lower-cases, drops accents, and decodes to a text without blanks before signs."""
    pieces = [*"abcdefghijklmnopqrstuvwxyz.,'!?", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), "the"]
    ids = {piece: number for number, piece in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *pieces])}
    made = LibraryTokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return PretrainedTokenizer(_HuggingFace(made), Form())


@pytest.mark.parametrize("text", ["The Fülton jury , said ``no'' .", "the end .", "Isn't it ?"])
def test_words_are_found_where_the_tokenizer_loses_case_accents_and_blanks(text: str) -> None:
    tokenizer = bert()
    (tokens,) = tokenizer.encode_batch([text])
    spans = word_tokens(text, tokens, tokenizer)
    assert spans is not None
    assert [tokens[first:stop] for first, stop in spans] == tokenizer.encode_batch(text.split())
    assert (spans[0][0], spans[-1][1]) == (0, len(tokens))


def test_a_word_without_tokens_is_nowhere() -> None:
    tokenizer = bert()
    text = "the \u200b end"  # BERT drops what has no width.
    (tokens,) = tokenizer.encode_batch([text])
    assert word_tokens(text, tokens, tokenizer) is None
