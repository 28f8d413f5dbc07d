"""``unigram``: the likeliest pieces under a unigram language model (Kudo 2018), with a space marker; exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Self

from tokenizers import models

from stageformer.text.tokenizers import marker
from stageformer.text.tokenizers.marked import MarkedTokenizer
from stageformer.text.tokenizers.unigram_training import learn_pieces


class UnigramTokenizer(MarkedTokenizer):
    """Cuts each word into the pieces whose product of probabilities is the highest."""

    kind = "unigram"

    @classmethod
    def train(cls, sentences: Iterable[str], vocabulary_size: int, lowercase: bool) -> Self:
        """Learn from the sentences, see :meth:`Tokenizer.train`."""
        library_tokenizer = cls.untrained(models.Unigram())
        self = cls(library_tokenizer, lowercase)
        words: Counter[str] = Counter()
        for text in sentences:
            words.update(self.prepare(self.normalise(text)).split(" "))
        stretches: Counter[str] = Counter()
        for word, count in words.items():
            for stretch, _ in library_tokenizer.pre_tokenizer.pre_tokenize_str(marker.SPACE + word):
                stretches[stretch] += count
        pieces = learn_pieces(stretches, vocabulary_size)
        library_tokenizer.model = models.Unigram([(marker.UNKNOWN, 0.0), *pieces], 0, False)
        return self
