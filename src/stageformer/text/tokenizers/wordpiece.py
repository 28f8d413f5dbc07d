"""``wordpiece``: pieces of words, the later ones marked with ``##`` (Schuster and Nakajima 2012, as in BERT).

Text is cut at white space and around punctuation, and a word into the longest pieces that fit, from the left. Lossy:
the spaces around punctuation are guessed in decoding. What is promised: a decoded text is cut into the very same tokens
again. A word with a character that training never saw
stays whole, and so does one of more characters than ``max_word_length``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from stageformer.text.form import Form
from stageformer.text.hugging_face import HuggingFaceTokenizer
from stageformer.text.long_words import in_parts
from stageformer.text.spacing import join_words, joining_decoder

CONTINUATION = "##"
_NO_LIMIT = 2**31


class WordPieceTokenizer(HuggingFaceTokenizer):
    """Learns pieces by merging frequent neighbours, and cuts words greedily."""

    kind = "wordpiece"
    exact = False
    unknown = "[UNK]"  # brackets are punctuation, which is cut off: no piece of a text can spell this

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from the sentences, see :meth:`Tokenizer.train`."""
        library_tokenizer = tokenizers.Tokenizer(models.WordPiece())
        library_tokenizer.pre_tokenizer = in_parts(pre_tokenizers.BertPreTokenizer())
        self = cls(library_tokenizer, Form.of(options, sentences))
        # The library numbers the ## characters in the order of a hash table with a random seed, and breaks ties between
        # merges by those numbers. Given first and sorted, they have fixed numbers, and training is deterministic.
        characters = sorted({character for text in sentences for character in self.form.apply(text)})
        continuations = [CONTINUATION + character for character in characters if _is_inside_words(character)]
        trainer = trainers.WordPieceTrainer(
            vocab_size=options.vocabulary_size,
            limit_alphabet=_NO_LIMIT,
            special_tokens=continuations,
            continuing_subword_prefix=CONTINUATION,
            show_progress=False,
        )
        library_tokenizer.train_from_iterator((self.form.apply(text) for text in sentences), trainer)
        vocabulary = json.loads(library_tokenizer.to_str())["model"]["vocab"]
        # A new library tokenizer: the old one holds the ## characters as special tokens and would find them in texts.
        trained = tokenizers.Tokenizer(
            models.WordPiece(
                vocab={**vocabulary, cls.unknown: len(vocabulary)},
                unk_token=cls.unknown,
                max_input_chars_per_word=options.max_word_length,
            )
        )
        trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return cls(trained, self.form)

    @property
    def max_word_length(self) -> int:
        """As the model says."""
        return int(json.loads(self._tokenizer.to_str())["model"]["max_input_chars_per_word"])

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        words: list[str] = []
        for token in tokens:
            if words and token.startswith(CONTINUATION):
                words[-1] += token.removeprefix(CONTINUATION)
            else:
                words.append(token)
        return join_words(words)

    def decoder(self) -> decoders.Decoder:
        """Return the same in the components of the library."""
        return joining_decoder(continuation=CONTINUATION)


def _is_inside_words(character: str) -> bool:
    return len(pre_tokenizers.BertPreTokenizer().pre_tokenize_str(f"a{character}a")) == 1
