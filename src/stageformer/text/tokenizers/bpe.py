"""``bpe``: byte-pair encoding on characters (Sennrich et al. 2016), with a space marker; exact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

from tokenizers import models, trainers

from stageformer.text.form import Form
from stageformer.text.hugging_face import SpaceMarkingTokenizer
from stageformer.text.long_words import in_parts
from stageformer.text.marker import SPACE


class BpeTokenizer(SpaceMarkingTokenizer):
    """Merges the most frequent pair of neighbours again and again."""

    kind = "bpe"

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from the sentences, see :meth:`Tokenizer.train`."""
        library_tokenizer = cls.untrained(models.BPE())
        self = cls(library_tokenizer, Form.of(options, sentences))
        trainer = trainers.BpeTrainer(
            vocab_size=options.vocabulary_size, initial_alphabet=[SPACE], special_tokens=[], show_progress=False
        )
        cutting = library_tokenizer.pre_tokenizer
        library_tokenizer.pre_tokenizer = in_parts(cutting)
        library_tokenizer.train_from_iterator((self.prepare(self.form.apply(text)) for text in sentences), trainer)
        library_tokenizer.pre_tokenizer = cutting
        # A model without an unknown piece drops unseen characters. Given to the trainer, that piece would be searched
        # for in the text; put into the model afterwards, it is not.
        learnt = json.loads(library_tokenizer.to_str())["model"]
        vocabulary = {**learnt["vocab"], cls.unknown: len(learnt["vocab"])}
        merges = [(left, right) for left, right in learnt["merges"]]
        library_tokenizer.model = models.BPE(vocab=vocabulary, merges=merges, unk_token=cls.unknown)
        return self
