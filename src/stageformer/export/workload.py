"""The sentences that every exported format is compared on, and what an engine makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stageformer.decoding.rules import Rules
from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.pair import Tokenizers
from stageformer.text.vocabulary import Vocabularies


@dataclass(frozen=True)
class Run:
    """What an engine made of the sentences of a workload."""

    ids: list[list[int]]
    """of each translation, without special tokens"""
    texts: list[str]
    sentences_per_second: float
    """of the translation from ids to ids"""


class Workload:
    """Sentences to translate by greedy search, and the rules that hold for every engine.

    Args:
        texts: the sentences, as the stage ingest cleaned them
        model: in eval mode, on the CPU
        tokenizers: those of the model
        vocabularies: those of the model
        rules: of our search
        batch_tokens: largest number of source tokens of a batch, padding included
        compute: its threads
    """

    def __init__(
        self,
        texts: list[str],
        model: Transformer,
        tokenizers: Tokenizers,
        vocabularies: Vocabularies,
        rules: Rules,
        batch_tokens: int,
        compute: Compute,
    ) -> None:
        self.texts = texts
        self.model = model
        self.vocabularies = vocabularies
        self.rules = rules
        self.batch_tokens = batch_tokens
        self.compute = compute
        self.source_ids = source_ids(texts, tokenizers.source, vocabularies.source)
        self._target_tokenizer = tokenizers.target

    @property
    def max_lengths(self) -> list[int]:
        """The largest number of tokens of each translation, <eos> included."""
        lengths = torch.tensor([len(ids) for ids in self.source_ids])
        limits: list[int] = self.rules.max_lengths(lengths, self.model.decoder).tolist()
        return limits

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of a translation."""
        return target_text(ids, self._target_tokenizer, self.vocabularies.target)


def timed(translate: Callable[[], list[list[int]]], text: Callable[[list[int]], str]) -> Run:
    """Measure a translation.

    Args:
        translate: returns the ids of each translation, without special tokens
        text: turns those of one into its text
    """
    started = time.perf_counter()
    ids = translate()
    seconds = time.perf_counter() - started
    return Run(ids, [text(row) for row in ids], len(ids) / seconds)


def position_table(embedding: Embedding) -> Tensor:
    """Return what is added at each position, ``[max_length, D]``: zeros in a model without positions."""
    if embedding.positions is None:
        return embedding.weight.new_zeros(embedding.config.max_length, embedding.config.d_model)
    return embedding.positions
