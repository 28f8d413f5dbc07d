"""Words of a million characters are learnt from and cut in seconds; those that no text has by chance change nothing."""

from __future__ import annotations

import random
import time

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from stageformer.errors import StageformerError
from stageformer.text.long_words import LONGEST, count_parts, in_parts
from stageformer.text.pair import train_tokenizers
from stageformer.text.subwords import UNKNOWN, WordPiece
from tests.families import family

SENTENCES = ["one two three four abcdefghij", "two two one abc abd cab"] * 20
FAMILIES = {
    "bpe": {}, "byte_bpe": {}, "wordpiece": {}, "unigram": {}, "word": {}, "char": {},
    "cut bpe": {"subwords": "bpe"}, "cut wordpiece": {"subwords": "wordpiece"}, "cut unigram": {"subwords": "unigram"},
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_a_word_of_a_million_letters(name: str) -> None:
    options = family(name.split()[0], vocabulary_size=300, **FAMILIES[name])
    word = "a" * 1_000_000
    started = time.process_time()
    tokenizer = train_tokenizers([*SENTENCES, word], ["x"], options, None).source
    (tokens,) = tokenizer.encode_batch([word])
    assert tokenizer.decode(tokens) == word
    assert time.process_time() - started < 10


def test_sentencepiece_refuses_it() -> None:
    with pytest.raises(StageformerError, match=r"a word .* has 1,000,000 characters.* ingest.max_characters"):
        train_tokenizers([*SENTENCES, "a" * 1_000_000], ["x"], family("sentencepiece"), None)


def test_only_long_words_are_cut_into_parts() -> None:
    words = {"a" * LONGEST: 3, "b": 2, "": 1}
    assert count_parts(words) is words
    assert count_parts({"a" * LONGEST + "bc": 3, "bc": 1}) == {"a" * LONGEST: 3, "bc": 4}
    cut = in_parts(pre_tokenizers.Whitespace()).pre_tokenize_str("é" * (LONGEST + 2) + " " + "b" * LONGEST)
    assert [len(part) for part, _ in cut] == [LONGEST, 2, LONGEST]


def test_a_long_word_has_the_pieces_that_the_library_gives() -> None:
    library = WordPiece.learn({"abcabd": 5, "bca": 3, "aab": 2, "ba": 9}, 30)
    words = WordPiece(library)
    short: Tokenizer = Tokenizer(models.WordPiece(
        vocab=library.get_vocab(), unk_token=UNKNOWN, max_input_chars_per_word=2**31, continuing_subword_prefix="##",
    ))  # fmt: skip
    draw = random.Random(1)
    for length in (1, 7, LONGEST + 1, LONGEST + 2):
        word = "".join(draw.choice("abcd") for _ in range(length))
        assert words.cut_long(word) == short.encode(word).tokens
        assert words.cut([[word]]) == [short.encode(word).tokens]
    unknown = "ab" * LONGEST + "x"
    assert words.cut([[unknown]]) == [[unknown]]
