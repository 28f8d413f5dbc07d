"""``unigram``: the likeliest pieces under a unigram language model (Kudo 2018), with a space marker; exact."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

import tokenizers
from tokenizers import Regex, models, pre_tokenizers

from stageformer.text.form import Form
from stageformer.text.hugging_face import SpaceMarkingTokenizer, character_class
from stageformer.text.marker import SPACE
from stageformer.text.unigram_training import learn_pieces


class UnigramTokenizer(SpaceMarkingTokenizer):
    """Cuts each word into the pieces whose product of probabilities is the highest."""

    kind = "unigram"

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from the sentences, see :meth:`Tokenizer.train`."""
        library_tokenizer = cls.untrained(models.Unigram())
        self = cls(library_tokenizer, Form.of(options, sentences))
        words: Counter[str] = Counter()
        for text in sentences:
            words.update(self.prepare(self.form.apply(text)).split(" "))
        stretches: Counter[str] = Counter()
        for word, count in words.items():
            for stretch, _ in library_tokenizer.pre_tokenizer.pre_tokenize_str(SPACE + word):
                stretches[stretch] += count
        pieces = learn_pieces(stretches, options.vocabulary_size)
        library_tokenizer.model = models.Unigram([(cls.unknown, 0.0), *pieces], 0, False)
        return self

    def to_hugging_face(self) -> tokenizers.Tokenizer:
        """Return the library's tokenizer with what this class does around it put into its pipeline."""
        copy = super().to_hugging_face()
        pieces = [piece for piece, _ in json.loads(copy.to_str())["model"]["vocab"] if piece != self.unknown]
        # The library makes one unknown piece of neighbouring unknown characters; we make one of each.
        known = character_class(character for piece in pieces for character in piece)
        unknown = pre_tokenizers.Split(Regex(f"[^{known}]"), behavior="isolated")
        copy.pre_tokenizer = pre_tokenizers.Sequence([copy.pre_tokenizer, unknown])
        return copy
