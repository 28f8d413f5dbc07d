"""Every exported format at the same work: the test sentences, in the same batches, by greedy search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stageformer.batching.sentences import Sentences
from stageformer.compute.device import make_pool
from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.rules import Rules
from stageformer.decoding.search import by_greedy
from stageformer.export.huggingface import HuggingFaceEngine
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.pair import Tokenizers
from stageformer.text.vocabulary import Vocabularies
from stageformer.translator.ctranslate2_engine import CTranslate2Engine


@dataclass(frozen=True)
class Run:
    """What an engine made of the sentences."""

    ids: list[list[int]]
    """of each translation, without special tokens"""
    texts: list[str]
    sentences_per_second: float
    """of the translation from ids to ids"""


class Task:
    """Sentences to translate, and the rules that hold for every engine.

    Args:
        texts: the sentences, as the stage ingest cleaned them
        tokenizers: those of the model
        vocabularies: those of the model
        rules: of our search
        batch_tokens: largest number of source tokens of a batch, padding included
        compute: its threads
    """

    def __init__(
        self,
        texts: list[str],
        tokenizers: Tokenizers,
        vocabularies: Vocabularies,
        rules: Rules,
        batch_tokens: int,
        compute: Compute,
    ) -> None:
        self._compute = compute
        self.texts = texts
        self.source_ids = source_ids(texts, tokenizers.source, vocabularies.source)
        self._tokenizers = tokenizers
        self._vocabularies = vocabularies
        self._rules = rules
        self._batch_tokens = batch_tokens

    def ours(self, model: Transformer) -> Run:
        """Translate by our own search; the model is in eval mode, on the CPU."""
        pad_id = self._vocabularies.source.pad_id
        memory = EncodedMemory(EncoderSource(model.encoder, pad_id), Sentences.of(self.source_ids))
        search = by_greedy(model.decoder, self._rules)
        pool = make_pool(self._compute, pieces=self._compute.threads)

        def translate() -> list[list[int]]:
            found = translate_corpus(memory, search, self._batch_tokens, "export: greedy search", pool)
            return [best.ids for best, *_ in found]

        run = self._run(translate, self._text)
        pool.close()
        return run

    def ctranslate2(self, folder: Path, model: Transformer) -> Run:
        """Translate by CTranslate2."""
        engine = CTranslate2Engine(folder, self._vocabularies, threads=self._compute.threads)
        limits = self._max_lengths(model)

        def translate() -> list[list[int]]:
            found = engine.translate(
                self.source_ids, max_lengths=limits, beam_size=1, length_penalty=0.0, batch_tokens=self._batch_tokens
            )
            return [best.ids for best in found]

        return self._run(translate, self._text)

    def huggingface(self, folder: Path, model: Transformer) -> Run:
        """Translate by ``transformers``, with the tokenizer of the folder instead of ours."""
        engine = HuggingFaceEngine(folder)
        ids, limits = engine.source_ids(self.texts), self._max_lengths(model)
        return self._run(
            lambda: engine.translate(ids, max_lengths=limits, batch_tokens=self._batch_tokens), engine.text
        )

    def _max_lengths(self, model: Transformer) -> list[int]:
        lengths = torch.tensor([len(ids) for ids in self.source_ids])
        limits: list[int] = self._rules.max_lengths(lengths, model.decoder).tolist()
        return limits

    def _text(self, ids: Sequence[int]) -> str:
        return target_text(ids, self._tokenizers.target, self._vocabularies.target)

    def _run(self, translate: Callable[[], list[list[int]]], text: Callable[[list[int]], str]) -> Run:
        started = time.perf_counter()
        ids = translate()
        seconds = time.perf_counter() - started
        return Run(ids, [text(row) for row in ids], len(ids) / seconds)
