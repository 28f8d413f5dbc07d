"""Translate text with the model that the pipeline made, and score translations from elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from stageformer.batching.sentences import Sentences
from stageformer.building.model_files import load_model
from stageformer.compute.device import make_pool
from stageformer.compute.pool import Pool
from stageformer.decoding.batch import Batch
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.forced import log_probabilities
from stageformer.decoding.rules import Hypothesis, Rules, rules_for
from stageformer.decoding.sampling import sample
from stageformer.errors import StageformerError
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.embedding import Embedding
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.params.translate import Translate
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.normalisation import normalise
from stageformer.text.pair import Tokenizers, load_tokenizers
from stageformer.text.vocabulary import Vocabularies, load_vocabularies
from stageformer.translator.translations import Sampling, Score, Translation

if TYPE_CHECKING:
    from stageformer.translator.ctranslate2_engine import CTranslate2Engine


@dataclass(frozen=True)
class Translator:
    """A model with all that stands between it and text."""

    tokenizers: Tokenizers
    vocabularies: Vocabularies
    model: Transformer
    params: Translate
    """the search: that of the stage translate, so that the scores reported there are those of what comes out here"""
    pool: Pool
    """translates batches side by side"""
    engine: CTranslate2Engine | None = None
    """what searches instead of this library"""

    @staticmethod
    def load(root: Path = Path(), *, engine: str = "stageformer") -> Translator:
        """Load what the pipeline made in a copy of the repository.

        Args:
            root: of the copy; read are params.yaml (groups translate and compute), data/tokenize, data/vocab and
                data/train_decoder, and the export where it is asked for.
            engine: ``stageformer``, or ``ctranslate2`` for the export in data/export/ctranslate2.

        Raises:
            StageformerError: the pipeline has not run yet, or an artifact is damaged.
        """
        model_path = root / "data/train_decoder/model.pt"
        if not model_path.exists():
            raise StageformerError(f"{model_path}: there is no model yet; make it with `dvc repro`")
        values = read_yaml(root / "params.yaml")
        compute = parse(Compute, values.get("compute"), "compute").on_cpu()
        vocabularies = load_vocabularies(root / "data/vocab")
        return Translator(
            tokenizers=load_tokenizers(root / "data/tokenize/tokenizer"),
            vocabularies=vocabularies,
            model=load_model(model_path)[0],
            params=parse(Translate, values.get("translate"), "translate"),
            pool=make_pool(compute, pieces=compute.threads),
            engine=None if engine == "stageformer" else _ctranslate2(root, vocabularies, compute.threads),
        )

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        origin: str = "texts",
        first_line: int = 1,
        show_progress: bool = True,
    ) -> list[str]:
        """Translate sentences, each by itself; see :meth:`nbest`."""
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
        """Translate sentences, each by itself, in several ways.

        Args:
            texts: one sentence each; an empty one, or one of white space alone, has no translation.
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
        if self.engine is not None:
            if number > 1 or sampling or prefix:
                raise StageformerError("ctranslate2 gives the best translation alone; leave the engine or the options")
            if self.params.min_length_ratio or self.params.early_stopping:
                raise StageformerError(
                    "params: ctranslate2 knows no translate.min_length_ratio above 0 and no translate.early_stopping; "
                    "leave the engine, or these parameters"
                )
            found = self._by_engine(self.engine, ids, beam_size)
        else:
            found = translate_corpus(
                self._memory(ids),
                self._search(number, beam_size, sampling, [first_line + row for row in rows]),
                self.params.batch_tokens,
                "translate" if show_progress else None,
                self.pool,
                [self._encode_prefix(prefix)] * len(ids) if prefix else None,
            )
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
        found = log_probabilities(
            self.model.decoder, self._memory(ids), targets, self.params.batch_tokens,
            "score" if show_progress else None, self.pool,
        )  # fmt: skip
        scores: list[Score | None] = [None] * len(texts)
        for row, target, value in zip(rows, targets, found.tolist(), strict=True):
            scores[row] = Score(value, len(target) - 1)
        return scores

    def _encode_sources(
        self, texts: Sequence[str], origin: str, first_line: int
    ) -> tuple[list[int], list[list[int]]]:
        """Return the numbers of the texts that are not empty, and the ids of each of these."""
        # As the stage ingest does: the model has never seen text in another form.
        cleaned = [normalise(text) for text in texts]
        rows = [row for row, text in enumerate(cleaned) if text]
        ids = source_ids([cleaned[row] for row in rows], self.tokenizers.source, self.vocabularies.source)
        for row, sentence in zip(rows, ids, strict=True):
            _check_length(len(sentence), self.model.encoder.embedding, f"{origin}, line {first_line + row}")
        return rows, ids

    def _encode_prefix(self, text: str) -> list[int]:
        vocabulary = self.vocabularies.target
        tokens = self.tokenizers.target.encode_batch([normalise(text)])[0]
        ids = vocabulary.to_ids(tokens)
        if vocabulary.unk_id in ids:
            token = tokens[ids.index(vocabulary.unk_id)]
            raise StageformerError(f"prefix: {token!r} is not in the vocabulary; leave it out")
        # <eos> needs a place as well.
        _check_length(len(ids) + 1, self.model.decoder.embedding, "prefix")
        return ids

    def _memory(self, ids: list[list[int]]) -> EncodedMemory:
        source = EncoderSource(self.model.encoder, self.vocabularies.source.pad_id)
        return EncodedMemory(source, Sentences.of(ids))

    def _search(self, number: int, beam_size: int | None, sampling: Sampling | None, lines: list[int]) -> Search:
        params, rules = self.params, self._rules()
        if sampling is not None:
            options = dataclasses.asdict(sampling)

            def draw(batch: Batch) -> list[list[Hypothesis]]:
                of_lines = dataclasses.replace(batch, rows=np.array(lines, dtype=np.int64)[batch.rows])
                return sample(self.model.decoder, of_lines, rules, samples=number, **options)

            return draw
        return partial(
            beam_search,
            self.model.decoder,
            rules=rules,
            beam_size=beam_size or max(params.beam_size, number),
            length_penalty=params.length_penalty,
            length_normalisation=params.length_normalisation,
            early_stopping=params.early_stopping,
            nbest=number,
        )

    def _by_engine(
        self, engine: CTranslate2Engine, ids: list[list[int]], beam_size: int | None
    ) -> list[list[Hypothesis]]:
        lengths = torch.tensor([len(sentence) for sentence in ids], dtype=torch.long)
        found = engine.translate(
            ids,
            max_lengths=self._rules().max_lengths(lengths, self.model.decoder).tolist(),
            beam_size=beam_size or self.params.beam_size,
            length_penalty=self.params.length_penalty,
            length_normalisation=self.params.length_normalisation,
            batch_tokens=self.params.batch_tokens,
        )
        return [[hypothesis] for hypothesis in found]

    def _rules(self) -> Rules:
        params = self.params
        return rules_for(
            self.vocabularies.target,
            max_length_ratio=params.max_length_ratio,
            max_length_offset=params.max_length_offset,
            min_length_ratio=params.min_length_ratio,
        )

    def _translation(self, hypothesis: Hypothesis) -> Translation:
        text = target_text(hypothesis.ids, self.tokenizers.target, self.vocabularies.target)
        return Translation(" ".join(text.splitlines()), hypothesis.score, hypothesis.ids)


def _ctranslate2(root: Path, vocabularies: Vocabularies, threads: int) -> CTranslate2Engine:
    from stageformer.translator.ctranslate2_engine import CTranslate2Engine

    return CTranslate2Engine(root / "data/export/ctranslate2", vocabularies, threads=threads)


def _check_length(tokens: int, embedding: Embedding, what: str) -> None:
    limit = embedding.config.max_length
    if embedding.positions is not None and tokens > limit:
        raise StageformerError(
            f"{what}: {tokens} tokens with <eos>, the model takes {limit} (embed.max_length); shorten it"
        )
