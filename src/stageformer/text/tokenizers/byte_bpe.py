"""``byte_bpe``: byte-pair encoding on the bytes of UTF-8 (Radford et al. 2019); exact, and nothing is unknown.

Token strings show each byte as one printable character (a space as ``Ġ``). A space is put before the text and taken
away in decoding, so that a word has the same tokens at the head of a sentence as inside. Bytes that are not UTF-8,
which only a model can produce, decode to U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from stageformer.text.form import Form
from stageformer.text.hugging_face import HuggingFaceTokenizer
from stageformer.text.long_words import in_parts


class ByteBpeTokenizer(HuggingFaceTokenizer):
    """Merges the most frequent pair of neighbouring byte sequences again and again."""

    kind = "byte_bpe"
    exact = True

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from the sentences, see :meth:`Tokenizer.train`."""
        library_tokenizer = tokenizers.Tokenizer(models.BPE())
        cutting = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library_tokenizer.pre_tokenizer = in_parts(cutting)
        library_tokenizer.decoder = decoders.ByteLevel()
        self = cls(library_tokenizer, Form.of(options, sentences))
        trainer = trainers.BpeTrainer(
            vocab_size=options.vocabulary_size,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            special_tokens=[],
            show_progress=False,
        )
        library_tokenizer.train_from_iterator((self.prepare(self.form.apply(text)) for text in sentences), trainer)
        library_tokenizer.pre_tokenizer = cutting
        return self

    def prepare(self, text: str) -> str:
        """Return the text as the model is given it."""
        return f" {text}" if text else text

    def preparation(self) -> list[normalizers.Normalizer]:
        """Return the same in the components of the library."""
        return [normalizers.Prepend(" ")]

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return text_of(tokens)

    def decoder(self) -> decoders.Decoder:
        """Return the same in the components of the library."""
        return decoders.Sequence([decoders.ByteLevel(), decoders.Replace(Regex(r"\A "), "")])


def text_of(tokens: Sequence[str]) -> str:
    """Join token strings to text; they alone decide it, whatever was learnt."""
    return str(decoders.ByteLevel().decode([*tokens])).removeprefix(" ")
