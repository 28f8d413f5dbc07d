"""Translation by CTranslate2 instead of by our own search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stageformer.artifacts.files import first_line
from stageformer.artifacts.made_with import Parts, check_made_with
from stageformer.artifacts.reading import read_json
from stageformer.batching.batches import batches_by_length
from stageformer.decoding.rules import Hypothesis, penalty
from stageformer.decoding.search import rules_for
from stageformer.errors import StageformerError, require
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import BOS, PAD, Vocabularies
from stageformer.translator.engine import Engine, Request

PATIENCE = 2.0
"""Of the UI strings of the default recipe, 90 % have the same translation by both beam searches, with 1.0 85 %."""


class CTranslate2Engine(Engine):
    """An exported model at work. Greedy search finds what ours does, up to rounding; beam search nearly.

    Beam search differs from ours in three ways. CTranslate2 scales the probabilities up to those of the allowed tokens
    where it forbids some. It stops after :data:`PATIENCE` times as many finished hypotheses as the beam is wide; ours
    stops when nothing better can come. And it ranks by ``log-probability / length ** beta``: beta is chosen so that
    this grows at the rate of our penalty where a translation is as long as its source, and what comes out is ranked
    anew by our penalty.

    Args:
        folder: what :func:`stageformer.export.formats.ctranslate2.save_ctranslate2` wrote
        vocabularies: those of the model
        threads: on the CPU
        model: that the folder should be an export of

    Raises:
        StageformerError: the folder holds no model of CTranslate2, or that of another model or vocabulary, or the
            package is not installed.
    """

    def __init__(
        self, folder: Path, vocabularies: Vocabularies, *, threads: int, model: Parts | None = None
    ) -> None:
        require("ctranslate2")
        import ctranslate2

        if not (folder / "model.bin").exists():
            raise StageformerError(
                f"{folder}: holds no model of CTranslate2 (see export.formats); make it with `dvc repro export`"
            )
        try:
            # A thread a batch, as in our own search: small matrices are not worth cutting.
            self._translator = ctranslate2.Translator(str(folder), device="cpu", inter_threads=threads, intra_threads=1)
        except (RuntimeError, ValueError) as error:
            raise StageformerError(
                f"{folder}: not a readable model of CTranslate2 ({first_line(error)}); make it again with "
                "`dvc repro --force export`"
            ) from None
        config = read_json(folder / "config.json")
        if isinstance(config, dict):
            check_made_with(folder, config, {**(model or {}), **vocabularies.parts})
        try:
            self._max_source_positions: int = config["max_source_positions"]
            self._max_target_positions: int = config["max_target_positions"]
        except (KeyError, TypeError):
            raise StageformerError(
                f"{folder}: a model of CTranslate2 that Stageformer did not write; make ours with `dvc repro export`"
            ) from None
        self._vocabularies = vocabularies

    def search(
        self, source_ids: Sequence[Sequence[int]], lines: Sequence[int], params: Translate, request: Request
    ) -> list[list[Hypothesis]]:
        """See :meth:`stageformer.translator.engine.Engine.search`."""
        if request.number > 1 or request.sampling or request.prefix:
            raise StageformerError("ctranslate2 returns only the best translation; change engine or options")
        if params.min_length_ratio or params.early_stopping:
            raise StageformerError(
                "params: ctranslate2 supports neither translate.min_length_ratio above 0 nor translate.early_stopping; "
                "use another engine, or change these parameters"
            )
        lengths = torch.tensor([len(ids) for ids in source_ids], dtype=torch.long)
        found = self.translate(
            source_ids,
            # Its own table of positions limits them as well.
            max_lengths=rules_for(self._vocabularies.target, params).max_lengths(lengths, None).tolist(),
            beam_size=request.beam_size or params.beam_size,
            length_penalty=params.length_penalty,
            length_normalisation=params.length_normalisation,
            batch_tokens=params.batch_tokens,
        )
        return [[hypothesis] for hypothesis in found]

    def translate(
        self,
        source_ids: Sequence[Sequence[int]],
        *,
        max_lengths: Sequence[int],
        beam_size: int,
        length_penalty: float,
        length_normalisation: str = "paper",
        batch_tokens: int,
    ) -> list[Hypothesis]:
        """Translate sentences.

        Args:
            source_ids: the ids of each source, <eos> included
            max_lengths: the largest number of tokens of each translation, <eos> included, at least 1
            beam_size: hypotheses kept at each step; 1: greedy
            length_penalty: alpha of the length penalty
            length_normalisation: its form, see :func:`stageformer.decoding.rules.penalty`
            batch_tokens: largest number of source tokens of a batch, padding included

        Returns:
            The translation of each sentence, in their order.

        Raises:
            StageformerError: a source is longer than the table of positions.
        """
        lengths = np.array([len(ids) for ids in source_ids], dtype=np.int64)
        if (longest := int(lengths.max(initial=0))) > self._max_source_positions:
            raise StageformerError(
                f"a source has {longest} tokens with <eos>, the model takes {self._max_source_positions} "
                "(embed.max_length); shorten it"
            )
        limits = [min(limit, self._max_target_positions) - 1 for limit in max_lengths]  # <eos> is not counted there
        waiting = []
        for rows in batches_by_length(lengths, batch_tokens):
            mean_length = float(lengths[rows].mean())
            exponent = length_penalty
            if length_normalisation == "paper":
                exponent *= mean_length / (5 + mean_length)
            results = self._translator.translate_batch(
                [self._vocabularies.source.to_tokens(source_ids[row]) for row in rows],
                beam_size=beam_size,
                num_hypotheses=beam_size,
                length_penalty=exponent,
                patience=PATIENCE,
                max_input_length=0,
                max_decoding_length=max(1, *(limits[row] for row in rows)),
                min_decoding_length=0,
                disable_unk=True,
                suppress_sequences=[[PAD], [BOS]],
                return_scores=True,
                asynchronous=True,
            )
            waiting.append((rows.tolist(), exponent, results))
        found: dict[int, Hypothesis] = {}
        for numbers, exponent, results in waiting:
            for row, result in zip(numbers, results, strict=True):
                done = result.result()
                hypotheses = []
                for tokens, score in zip(done.hypotheses, done.scores, strict=True):
                    length = len(tokens) + 1  # <eos> counts
                    total = score * length**exponent
                    ids = self._vocabularies.target.to_ids(tokens[: limits[row]])
                    ours = float(penalty(length, length_penalty, length_normalisation))
                    hypotheses.append(Hypothesis(ids, total / ours, total))
                found[row] = max(hypotheses, key=lambda hypothesis: hypothesis.score)
        return [found[row] for row in range(len(source_ids))]
