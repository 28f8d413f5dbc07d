"""What searches for translations, from ids to ids: the seam between the translator and its engines."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stageformer.batching.sentences import Sentences
from stageformer.compute.pool import Pool
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.rules import Batch, Hypothesis
from stageformer.decoding.sampling import Sampling, sample
from stageformer.decoding.search import by_beam, rules_for
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.base import MemorySource
from stageformer.model.transformer import Decoder
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import Vocabularies

NAMES = ("stageformer", "ctranslate2")
"""Of all engines."""


@dataclass(frozen=True)
class Request:
    """What is wanted of a search beyond its parameters."""

    number: int = 1
    """translations of each sentence"""
    beam_size: int | None = None
    """hypotheses kept at each step; None: as the parameters say, and at least ``number``"""
    sampling: Sampling | None = None
    """draw translations; None: look for the best"""
    prefix: Sequence[int] = ()
    """the ids that every translation begins with"""
    title: str | None = None
    """text before the progress bar; None: no bar"""


class Engine(ABC):
    """Something that searches for translations."""

    @abstractmethod
    def search(
        self, source_ids: Sequence[Sequence[int]], lines: Sequence[int], params: Translate, request: Request
    ) -> list[list[Hypothesis]]:
        """Return the translations of each sentence, best first; of sampling, in the order they were drawn.

        Args:
            source_ids: the ids of each source, <eos> included, ``[sentences]``
            lines: the number of each sentence, which what is drawn for it follows from, ``[sentences]``
            params: of the search
            request: what is wanted

        Raises:
            StageformerError: the engine cannot do what is asked for.
        """


class OwnEngine(Engine):
    """The searches of this library, which can do all that a request may ask for.

    Args:
        decoder: in eval mode, on the CPU
        source: makes the memory that it reads
        vocabularies: those of the model
        pool: translates batches side by side
    """

    def __init__(self, decoder: Decoder, source: MemorySource, vocabularies: Vocabularies, pool: Pool) -> None:
        self._decoder = decoder
        self._source = source
        self._vocabularies = vocabularies
        self._pool = pool

    def search(
        self, source_ids: Sequence[Sequence[int]], lines: Sequence[int], params: Translate, request: Request
    ) -> list[list[Hypothesis]]:
        """See :meth:`Engine.search`."""
        prefixes = [request.prefix] * len(source_ids) if request.prefix else None
        return translate_corpus(
            EncodedMemory(self._source, Sentences.of(source_ids)),
            self._search(lines, params, request),
            params.batch_tokens,
            request.title,
            self._pool,
            prefixes,
        )

    def _search(self, lines: Sequence[int], params: Translate, request: Request) -> Search:
        decoder, rules = self._decoder, rules_for(self._vocabularies.target, params)
        if request.sampling is None:
            return by_beam(decoder, rules, params, beam_size=request.beam_size, nbest=request.number)
        options, numbers = dataclasses.asdict(request.sampling), np.array(lines, dtype=np.int64)

        def draw(batch: Batch) -> list[list[Hypothesis]]:
            assert batch.rows is not None
            of_lines = dataclasses.replace(batch, rows=numbers[batch.rows])
            return sample(decoder, of_lines, rules, samples=request.number, **options)

        return draw
