"""The interface that every exported format implements.

A format is one file in this folder, which holds one subclass of :class:`Format` under the name of the file: an item of
``export.formats`` and the name of its folder in ``data/export``.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from stageformer.decoding.rules import Rules
from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer
from stageformer.params.choices import chosen, implementation
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


class Format(ABC):
    """A folder that another engine reads."""

    title: ClassVar[str]
    """As the model card names it, with the precision."""
    library: ClassVar[str]
    """The engine, as Hugging Face names libraries."""
    is_at_the_root: ClassVar[bool] = False
    """Whether a published model has the files of this format beside its card, not in a folder of their own."""

    @abstractmethod
    def write(self, model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies, folder: Path) -> None:
        """Write the model into ``folder``; the same model gives the same bytes.

        Args:
            model: in eval mode, on the CPU
            tokenizers: those of the model
            vocabularies: those of the model
            folder: created if need be

        Raises:
            StageformerError: the format cannot express the model, or its package is not installed.
        """

    @abstractmethod
    def translate(self, workload: Workload, folder: Path) -> Run:
        """Translate by the engine, from what :meth:`write` left in ``folder``."""

    @abstractmethod
    def usage(self, folder: str, folders: Mapping[str, str]) -> list[str]:
        """Return paragraphs of Markdown that show how the engine translates with ``folder``.

        Each block of code runs by itself, in the folder of the card.

        Args:
            folder: of this format, relative to the card
            folders: of every format beside the card, by name: another one may have the tokenizer
        """


def export_format(name: str) -> Format:
    """Import the format of that name and return it. Raises StageformerError when there is none."""
    format_class: type[Format] = implementation(chosen("stageformer.export.formats", name), Format)
    return format_class()


def code(*lines: str, language: str = "python") -> str:
    """Return lines as a block of code in Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])


def position_table(embedding: Embedding) -> Tensor:
    """Return what is added at each position, ``[max_length, D]``: zeros in a model without positions."""
    if embedding.positions is None:
        return embedding.weight.new_zeros(embedding.config.max_length, embedding.config.d_model)
    return embedding.positions
