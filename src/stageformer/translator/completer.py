"""A beginning in, whole texts out: a language model of a repository, trained by the objective ``next_token``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare_cpu
from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.rules import Batch, Hypothesis
from stageformer.decoding.sampling import Sampling, sample
from stageformer.decoding.search import by_beam, rules_for
from stageformer.errors import StageformerError
from stageformer.experiments.missing import how_to_get
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.params.translate import Translate
from stageformer.text.pair import load_tokenizers
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabulary, load_vocabularies
from stageformer.translator.translator import Translation, prefix_ids, translation_of

MODEL = "data/train_encoder/encoder.pt"


@dataclass(frozen=True)
class Completer:
    """A language model with all that is between it and text."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    model: LanguageModel
    params: Translate
    """the search, as far as it does not speak of sources"""

    @staticmethod
    def load(root: Path) -> Completer:
        """Load the encoder of a repository with its tokenizer and its vocabulary. It computes on the CPU.

        Args:
            root: of a repository in which the stage train_encoder has run.

        Raises:
            StageformerError: it has not, a part is missing or damaged, or the encoder has no causal mask.
        """
        path = root / MODEL
        if not path.exists():
            raise StageformerError(f"{path}: there is no model; {how_to_get(MODEL, root)}")
        values = read_yaml(root / "params.yaml")
        compute = parse(Compute, values.get("compute"), "compute")
        prepare_cpu(compute.instruction_set, compute.kernels)
        tokenizers = load_tokenizers(root / "data/tokenize/tokenizer")
        vocabularies = load_vocabularies(root / "data/vocab", tokenizers.parts)
        model, metadata = load_model(path, "encoder", vocabularies)
        if not model.config.encoder.causal:
            raise StageformerError(
                f"{path}: the objective of this encoder was {metadata.get('objective')!r}, which completes no text; "
                "set train_encoder.objective to next_token, and run `dvc repro train_encoder`"
            )
        params = parse(Translate, values.get("translate"), "translate")
        return Completer(tokenizers.source, vocabularies.source, LanguageModel(model.encoder), params)

    def complete(
        self,
        beginnings: Sequence[str],
        *,
        number: int = 1,
        beam_size: int | None = None,
        sampling: Sampling | None = None,
        max_tokens: int = 64,
    ) -> list[list[Translation]]:
        """Continue texts, each separately, in several ways, until <eos> or the largest length.

        Args:
            beginnings: of the texts; an empty one leaves the whole text to the model.
            number: texts for each beginning.
            beam_size: hypotheses kept at each step; None: as ``translate.beam_size`` says, and at least ``number``.
            sampling: draw texts instead of looking for the best; what is drawn follows from the number of the
                beginning.
            max_tokens: at most so many after the beginning, <eos> included.

        Returns:
            For each beginning whole texts, best first; of :class:`Sampling`, as they were drawn. Scores and ids are
            those of the whole text, too.

        Raises:
            StageformerError: a beginning is longer than the table of positions, or holds an unknown token.
        """
        texts = []
        for line, beginning in enumerate(beginnings, start=1):
            ids = prefix_ids(beginning, f"beginning {line}", self.tokenizer, self.vocabulary, self.model.embedding)
            found = self._search(ids, line, number, beam_size, sampling, max_tokens)
            texts.append([translation_of(hypothesis, self.tokenizer, self.vocabulary) for hypothesis in found])
        return texts

    def _search(
        self, ids: list[int], line: int, number: int, beam_size: int | None, sampling: Sampling | None, max_tokens: int
    ) -> list[Hypothesis]:
        # There is no source to measure a length by.
        rules = dataclasses.replace(
            rules_for(self.vocabulary, self.params),
            max_length_ratio=0.0, max_length_offset=len(ids) + max_tokens, min_length_ratio=0.0,
        )  # fmt: skip
        weight = self.model.output_weight
        unread = weight.new_zeros(1, 1, weight.size(1)), torch.ones(1, 1, dtype=torch.bool)  # [1, 1, D], [1, 1]
        batch = Batch(*unread, [ids] if ids else None, np.array([line]))
        if sampling is not None:
            return sample(self.model, batch, rules, samples=number, **dataclasses.asdict(sampling))[0]
        return by_beam(self.model, rules, self.params, beam_size=beam_size, nbest=number)(batch)[0]
