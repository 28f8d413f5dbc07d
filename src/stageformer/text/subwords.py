"""Pieces inside of words: the subwords of the tokenizer ``cut``, whose words are already found.

Each word is cut by itself, so that no piece reaches over the end of a word. Words come with their markers
(:mod:`stageformer.text.marker`): no word holds a space, and so no piece can be spelt like :data:`UNKNOWN`.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, trainers

from stageformer.artifacts.files import atomic_file
from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError
from stageformer.text.long_words import LONGEST, count_parts
from stageformer.text.marker import ESCAPE, SPACE
from stageformer.text.unigram_training import learn_pieces

FILE_NAME = "subwords.json"
UNKNOWN = " "
CONTINUATION = "##"
_NO_LIMIT = 2**31
_ESCAPED = re.compile(rf"{ESCAPE}(.)", re.DOTALL)


class Subwords(ABC):
    """Cuts words into pieces.

    Args:
        library_tokenizer: a model of the Hugging Face library ``tokenizers``, without normaliser or pre-tokeniser.
    """

    def __init__(self, library_tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = library_tokenizer

    @classmethod
    @abstractmethod
    def learn(cls, words: Mapping[str, int], vocabulary_size: int) -> tokenizers.Tokenizer:
        """Return a model learnt from the count of each distinct word; every character is a piece of it."""

    @abstractmethod
    def surface(self, word: str, start: int, end: int) -> list[str]:
        """Return the tokens for a stretch of a word that the model does not know."""

    def cut(self, sentences: Sequence[list[str]]) -> list[list[str]]:
        """Return the pieces of all words of each sentence."""
        pieces: dict[str, list[str]] = {}
        distinct = []
        for word in dict.fromkeys(word for words in sentences for word in words):
            if len(word) > LONGEST and (cut := self.cut_long(word)) is not None:
                pieces[word] = cut
            else:
                distinct.append(word)
        encodings = self._tokenizer.encode_batch(distinct, add_special_tokens=False)
        unknown_id = self._tokenizer.token_to_id(UNKNOWN)
        for word, encoding in zip(distinct, encodings, strict=True):
            found: list[str] = encoding.tokens
            if unknown_id in encoding.ids:
                parts = zip(encoding.tokens, encoding.ids, encoding.offsets, strict=True)
                found = [
                    piece
                    for token, index, (start, end) in parts
                    for piece in (self.surface(word, start, end) if index == unknown_id else [token])
                ]
            pieces[word] = found
        return [[piece for word in words for piece in pieces[word]] for words in sentences]

    def cut_long(self, word: str) -> list[str] | None:
        """Return the pieces of a long word, where there is a faster way than that of the library."""
        return None

    def join(self, pieces: list[str]) -> str:
        """Return the marked text of pieces."""
        return "".join(pieces)

    def protect(self, words: list[str]) -> list[str]:
        """Return words that no piece can be mistaken for."""
        return words

    @property
    def learnt(self) -> list[str]:
        """Every piece but the unknown one, by its number in the model."""
        pieces = self._tokenizer.get_vocab()
        return sorted(pieces.keys() - {UNKNOWN}, key=lambda piece: pieces[piece])

    def save(self, folder: Path) -> None:
        """Write the model in the format of the library."""
        with atomic_file(folder / FILE_NAME) as file:
            file.write(self._tokenizer.to_str(pretty=True).encode() + b"\n")


class Bpe(Subwords):
    """Byte-pair encoding on characters (Sennrich et al. 2016)."""

    @classmethod
    def learn(cls, words: Mapping[str, int], vocabulary_size: int) -> tokenizers.Tokenizer:
        """See :meth:`Subwords.learn`."""
        library_tokenizer = tokenizers.Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size, initial_alphabet=[SPACE], special_tokens=[], show_progress=False
        )
        library_tokenizer.train_from_iterator(_repeated(count_parts(words)), trainer)
        # A model without an unknown piece drops unseen characters.
        learnt = _model(library_tokenizer)
        vocabulary = {**learnt["vocab"], UNKNOWN: len(learnt["vocab"])}
        merges = [(left, right) for left, right in learnt["merges"]]
        library_tokenizer.model = models.BPE(vocab=vocabulary, merges=merges, unk_token=UNKNOWN)
        return library_tokenizer

    def surface(self, word: str, start: int, end: int) -> list[str]:
        """Return one token for each unknown character."""
        return list(word[start:end])


class Unigram(Subwords):
    """The likeliest pieces under a unigram language model (Kudo 2018)."""

    @classmethod
    def learn(cls, words: Mapping[str, int], vocabulary_size: int) -> tokenizers.Tokenizer:
        """See :meth:`Subwords.learn`."""
        pieces = learn_pieces(words, vocabulary_size)
        return tokenizers.Tokenizer(models.Unigram([(UNKNOWN, 0.0), *pieces], 0, False))

    def surface(self, word: str, start: int, end: int) -> list[str]:
        """Return one token for each unknown character."""
        return list(word[start:end])


class WordPiece(Subwords):
    """The longest pieces that fit, from the left, the later ones of a word marked with ``##`` (as in BERT)."""

    @classmethod
    def learn(cls, words: Mapping[str, int], vocabulary_size: int) -> tokenizers.Tokenizer:
        """See :meth:`Subwords.learn`."""
        # Given first and sorted, the ## characters have fixed numbers, and training is deterministic.
        # Each character is known at the head of a word and inside, wherever training saw it.
        characters = sorted({character for word in words for character in word} | {SPACE})
        if "#" in characters and ESCAPE not in characters:
            characters.append(ESCAPE)  # see protect()
        continuations = [CONTINUATION + character for character in characters]
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocabulary_size, limit_alphabet=_NO_LIMIT, special_tokens=continuations,
            initial_alphabet=characters, continuing_subword_prefix=CONTINUATION, show_progress=False,
        )  # fmt: skip
        library_tokenizer = tokenizers.Tokenizer(models.WordPiece())
        library_tokenizer.train_from_iterator(_repeated(count_parts(words)), trainer)
        vocabulary = _model(library_tokenizer)["vocab"]
        return tokenizers.Tokenizer(
            models.WordPiece(
                vocab={**vocabulary, UNKNOWN: len(vocabulary)}, unk_token=UNKNOWN, max_input_chars_per_word=_NO_LIMIT,
                continuing_subword_prefix=CONTINUATION,
            )
        )  # fmt: skip

    def surface(self, word: str, start: int, end: int) -> list[str]:
        """Return the whole word, which has a character that training never saw."""
        return [word]

    def cut_long(self, word: str) -> list[str]:
        """Return what the library does, which tries every end of the word for each piece, in time linear in it."""
        known = self._tokenizer.get_vocab()
        longest = max(map(len, known))
        pieces: list[str] = []
        start = 0
        while start < len(word):
            mark = CONTINUATION if start else ""
            ends = range(min(len(word), start + longest), start, -1)
            end = next((end for end in ends if f"{mark}{word[start:end]}" in known), None)
            if end is None:
                return self.surface(word, 0, len(word))
            pieces.append(f"{mark}{word[start:end]}")
            start = end
        return pieces

    def protect(self, words: list[str]) -> list[str]:
        """Escape the ``##`` at the head of a word that has no marker there."""
        return [f"{ESCAPE}#{word[1:]}" if word.startswith(CONTINUATION) else word for word in words]

    def join(self, pieces: list[str]) -> str:
        """Return the marked text of pieces."""
        text = "".join(piece.removeprefix(CONTINUATION) for piece in pieces)
        return _ESCAPED.sub(lambda match: "#" if match[1] == "#" else match[0], text)


KINDS: dict[str, type[Subwords]] = {"bpe": Bpe, "unigram": Unigram, "wordpiece": WordPiece}


def learn_subwords(kind: str, words: Mapping[str, int], vocabulary_size: int) -> Subwords:
    """Learn pieces from the counts of distinct words."""
    return KINDS[kind](KINDS[kind].learn(words, vocabulary_size))


def load_subwords(kind: str, folder: Path) -> Subwords:
    """Read what was saved. Raises StageformerError when it is missing or damaged."""
    path = folder / FILE_NAME
    remedy = "make it again with `dvc repro --force tokenize`"
    try:
        return KINDS[kind](tokenizers.Tokenizer.from_str(read_content(path).decode()))
    except StageformerError:
        raise
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; it should hold the subwords; {remedy}") from None
    except Exception as error:  # the library raises no class of its own
        reason = " ".join(str(error).split())
        raise StageformerError(f"{path}: not readable subwords ({reason}); {remedy}") from None


def _repeated(words: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield each word as often as it was counted, some thousands at a time: the library counts them itself."""
    for word, count in words.items():
        for start in range(0, count, 4096):
            yield [word] * min(4096, count - start)


def _model(library_tokenizer: tokenizers.Tokenizer) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(library_tokenizer.to_str())["model"]
    return model
