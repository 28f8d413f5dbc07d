"""Text in, text out: translate with a model of the pipeline or an exported one, and score translations of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from stageformer.batching.sentences import Sentences
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare_cpu, thread_pool
from stageformer.compute.pool import Pool
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.rules import Hypothesis
from stageformer.decoding.sampling import Sampling
from stageformer.errors import StageformerError, did_you_mean, require
from stageformer.memory.asker import Asker
from stageformer.memory.maker import maker_of
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.base import MemorySource
from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer
from stageformer.params.translate import Translate
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.normalisation import normalise
from stageformer.text.pair import Tokenizers, load_tokenizers
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabularies, Vocabulary, load_vocabularies
from stageformer.translator.engine import NAMES, Engine, OwnEngine, Request
from stageformer.translator.model_folder import open_model_folder


class Translation(NamedTuple):
    """One translation of a sentence."""

    text: str
    """in one line, whatever a model writes"""
    score: float
    """what the search ranks by; see :class:`stageformer.decoding.rules.Hypothesis`"""
    ids: list[int]
    """its tokens, without <bos> and <eos>"""


class Score(NamedTuple):
    """How probable the model finds a translation."""

    log_probability: float
    """natural logarithm"""
    tokens: int
    """of the translation, <eos> included"""


@dataclass(frozen=True)
class Translator:
    """A model with all that is between it and text."""

    tokenizers: Tokenizers
    vocabularies: Vocabularies
    model: Transformer
    source: MemorySource
    """makes the memory that the decoder of the model reads"""
    params: Translate
    """the search: that of the stage translate, so that the scores reported there are those of what comes out here"""
    pool: Pool
    """computes batches side by side"""
    engine: Engine
    """what searches"""

    @staticmethod
    def load(
        folder: str | Path | None = None, *, engine: str = "stageformer", threads: int | None = None
    ) -> Translator:
        """Load a model with its tokenizers, its vocabularies and the parameters of its search. It computes on the CPU.

        Where the repository asks for AVX2, and for every exported model, this process computes with AVX2 alone from its
        first operation on (:mod:`stageformer.compute.instruction_set`): the same translations on other machines. The
        kernels are those that the repository asks for (``compute.kernels``).

        Args:
            folder: the root of a repository in which the pipeline has run, or a folder that ``stageformer export``
                wrote; None: the repository that the current folder is in.
            engine: ``stageformer``, or ``ctranslate2`` for the export to CTranslate2.
            threads: of the CPU; their number changes no translation. None: as the repository says
                (``compute.threads``), and for an exported model as many as torch takes.

        Raises:
            StageformerError: there is no model, a part of it is missing or damaged, or there is no such engine.
        """
        if engine not in NAMES:
            raise StageformerError(
                f"there is no engine {engine!r}{did_you_mean(engine, NAMES)}; choose one of: {', '.join(NAMES)}"
            )
        found = open_model_folder(None if folder is None else Path(folder))
        prepare_cpu(found.instruction_set, found.kernels)
        threads = threads or found.threads or torch.get_num_threads()
        pool = thread_pool(threads, pieces=threads)
        searching: Engine
        if engine == "ctranslate2":
            require("ctranslate2")
        with found.advice():
            tokenizers = load_tokenizers(found.tokenizers)
            vocabularies = load_vocabularies(found.vocabularies, tokenizers.parts)
            model, metadata = load_model(found.model, vocabularies=vocabularies)
            asker = None if found.root is None else Asker(found.root, vocabularies.source)
            source = maker_of(model.encoder, vocabularies.source.pad_id, asker)
            if engine == "ctranslate2":
                from stageformer.translator.ctranslate2_engine import CTranslate2Engine

                known = metadata.get("fingerprint")
                parts = {"model": (known, found.model)} if isinstance(known, str) else {}
                searching = CTranslate2Engine(found.exports / engine, vocabularies, threads=threads, model=parts)
            else:
                searching = OwnEngine(model.decoder, source, vocabularies, pool)
        return Translator(tokenizers, vocabularies, model, source, found.params, pool, searching)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        origin: str = "texts",
        first_line: int = 1,
        show_progress: bool = True,
    ) -> list[str]:
        """Translate sentences, each separately; see :meth:`nbest`."""
        found = self.nbest(
            texts, beam_size=beam_size, origin=origin, first_line=first_line, show_progress=show_progress
        )
        return [translations[0].text if translations else "" for translations in found]

    def nbest(
        self,
        texts: Sequence[str],
        *,
        number: int = 1,
        beam_size: int | None = None,
        sampling: Sampling | None = None,
        prefix: str = "",
        origin: str = "texts",
        first_line: int = 1,
        show_progress: bool = True,
    ) -> list[list[Translation]]:
        """Translate sentences, each separately, in several ways.

        Args:
            texts: one sentence each; an empty one, or one of nothing but white space, has no translation.
            number: translations of each sentence.
            beam_size: hypotheses kept at each step; None: as ``translate.beam_size`` says, and at least ``number``.
            sampling: draw translations instead of looking for the best; what is drawn follows from the number of the
                line.
            prefix: what every translation begins with.
            origin: what the sentences are lines of, for messages.
            first_line: the number of the first of these lines.
            show_progress: show a progress bar where there is a terminal.

        Returns:
            For each sentence its translations, best first; of :class:`Sampling`, as they were drawn.

        Raises:
            StageformerError: a sentence or the prefix is longer than the table of positions, the prefix holds a token
                that the model does not know, or the engine cannot do what is asked for.
        """
        rows, ids = self._encode_sources(texts, origin, first_line)
        request = Request(
            number=number,
            beam_size=beam_size,
            sampling=sampling,
            prefix=self.encode_prefix(prefix),
            title="translate" if show_progress else None,
        )
        found = self.engine.search(ids, [first_line + row for row in rows], self.params, request)
        translations: list[list[Translation]] = [[] for _ in texts]
        for row, hypotheses in zip(rows, found, strict=True):
            translations[row] = [self._translation(hypothesis) for hypothesis in hypotheses]
        return translations

    def score(
        self, texts: Sequence[str], translations: Sequence[str], *, origin: str = "texts", show_progress: bool = True
    ) -> list[Score | None]:
        """Score given translations of sentences; None where either is empty.

        Args:
            texts: one sentence each.
            translations: one of each sentence. Tokens that the model does not know are scored as <unk>.
            origin: what the sentences are lines of, for messages.
            show_progress: show a progress bar where there is a terminal.

        Raises:
            StageformerError: their numbers differ, or one is longer than the table of positions.
        """
        if len(texts) != len(translations):
            raise StageformerError(f"{origin}: {len(texts)} sentences, but {len(translations)} translations to score")
        cleaned = [normalise(text) for text in translations]
        rows, ids = self._encode_sources(
            [text if cleaned[row] else "" for row, text in enumerate(texts)], origin, first_line=1
        )
        vocabulary = self.vocabularies.target
        tokens = self.tokenizers.target.encode_batch([cleaned[row] for row in rows])
        targets = [[vocabulary.bos_id, *vocabulary.to_ids(one), vocabulary.eos_id] for one in tokens]
        for row, target in zip(rows, targets, strict=True):
            _check_length(len(target) - 1, self.model.decoder.embedding, f"{origin}, translation {row + 1}")
        memory = EncodedMemory(self.source, Sentences.of(ids))
        title = "score" if show_progress else None
        found = log_probabilities(self.model.decoder, memory, targets, self.params.batch_tokens, title, self.pool)
        scores: list[Score | None] = [None] * len(texts)
        for row, target, value in zip(rows, targets, found.tolist(), strict=True):
            scores[row] = Score(value, len(target) - 1)
        return scores

    def _encode_sources(
        self, texts: Sequence[str], origin: str, first_line: int
    ) -> tuple[list[int], list[list[int]]]:
        """Return the numbers of the texts that are not empty, and the ids of each of these."""
        if isinstance(texts, str):
            raise TypeError("texts is one text; give a list of sentences")  # of one letter each, they would be
        # As the stage ingest does: the model has never seen text in another form.
        cleaned = [normalise(text) for text in texts]
        rows = [row for row, text in enumerate(cleaned) if text]
        ids = source_ids([cleaned[row] for row in rows], self.tokenizers.source, self.vocabularies.source)
        for row, sentence in zip(rows, ids, strict=True):
            _check_length(len(sentence), self.model.encoder.embedding, f"{origin}, line {first_line + row}")
        return rows, ids

    def encode_prefix(self, text: str) -> list[int]:
        """Return the ids of what a translation is to begin with; of an empty text, none.

        Raises:
            StageformerError: it is longer than the table of positions, or holds a token that the model does not know.
        """
        return prefix_ids(
            text, "prefix", self.tokenizers.target, self.vocabularies.target, self.model.decoder.embedding
        )

    def _translation(self, hypothesis: Hypothesis) -> Translation:
        return translation_of(hypothesis, self.tokenizers.target, self.vocabularies.target)


def translation_of(hypothesis: Hypothesis, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Translation:
    """Return what was found as one line of text, with its score and its ids."""
    text = target_text(hypothesis.ids, tokenizer, vocabulary)
    return Translation(" ".join(text.splitlines()), hypothesis.score, hypothesis.ids)


def prefix_ids(
    text: str, what: str, tokenizer: Tokenizer, vocabulary: Vocabulary, embedding: Embedding
) -> list[int]:
    """Return the ids of what a text is to begin with; of an empty one, none.

    Args:
        text: the beginning.
        what: names it in messages.
        tokenizer: of the text.
        vocabulary: of the text.
        embedding: has a position for each token.

    Raises:
        StageformerError: it is longer than the table of positions, or holds a token that the model does not know.
    """
    if not text:
        return []
    tokens = tokenizer.encode_batch([normalise(text)])[0]
    ids = vocabulary.to_ids(tokens)
    if vocabulary.unk_id in ids:
        token = tokens[ids.index(vocabulary.unk_id)]
        raise StageformerError(f"{what}: {token!r} is not in the vocabulary; leave it out")
    _check_length(len(ids) + 1, embedding, what)  # <eos> needs a place as well
    return ids


def _check_length(tokens: int, embedding: Embedding, what: str) -> None:
    limit = embedding.config.max_length
    if embedding.config.positions != "none" and tokens > limit:
        raise StageformerError(
            f"{what}: {tokens} tokens with <eos>, the model takes {limit} (embed.max_length); shorten it"
        )
