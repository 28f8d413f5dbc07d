"""The task of an encoder under a causal mask: predict each token from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.model.transformer import Transformer
from stageformer.params.train_encoder import TrainEncoder
from stageformer.scoring.ngram import NGramModel
from stageformer.text.vocabulary import Vocabulary
from stageformer.training.loss import Loss, of_characters, token_loss
from stageformer.training.tasks.sources_alone import SourcesAlone


@dataclass
class NextToken(SourcesAlone):
    """A stack under a causal mask: predict each source token (Radford et al. 2018). See :class:`.base.Task`.

    The stack reads a sentence as the stage encode does, ``w1 ... wn``, and predicts ``w2 ... wn <eos>``. The first
    token is predicted from <bos> alone, which then is in the place of ``w1``. So all tokens are predicted, and encode
    gives each token the state that it had in training. The output projection is the source embedding.
    """

    bos_id: int
    pad_id: int
    device: torch.device
    label_smoothing: float
    characters: int
    """of the sources of ``valid``"""
    baseline: Mapping[str, float]
    """what an n-gram model reaches on ``valid``, by the names of :meth:`metrics`"""
    unit = "source tokens"

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of all tokens of ``rows [B]``."""
        ids, present = (part.to(self.device) for part in self.splits[split].source.take(rows).padded(self.pad_id))
        # One more row for all first tokens, of which only the first position counts: [B + 1, S].
        start = torch.full_like(ids[:1], self.pad_id)
        start[0, 0] = self.bos_id
        hidden = self.model(torch.cat([start, ids]))  # [B + 1, S, D]
        first = hidden[:1, 0].expand(len(ids), -1)  # [B, D]
        later = hidden[1:, :-1][present[:, 1:]]  # [N - B, D]
        targets = torch.cat([ids[:, 0], ids[:, 1:][present[:, 1:]]])  # [N]
        return token_loss(torch.cat([first, later]), self.model.embedding.weight, targets, self.label_smoothing)

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return perplexity and bits per character, and those of the n-gram model."""
        return {**of_characters(means["nll"], _tokens(self.splits), self.characters), **self.baseline}


def _tokens(splits: Mapping[str, Pairs]) -> int:
    return int(splits["valid"].source.lengths.sum())


def encoder_task(
    params: TrainEncoder,
    model: Transformer,
    splits: Mapping[str, Pairs],
    vocabulary: Vocabulary,
    device: torch.device,
    characters: int,
) -> NextToken:
    """Return the task of the objective ``next_token``; see :func:`stageformer.training.encoder_task.encoder_task`."""
    train, valid = splits["train"].source, splits["valid"].source
    baseline: dict[str, float] = {}
    if len(train) and len(valid):  # else the loop refuses
        ngrams = NGramModel.of(
            train.flat, train.lengths, params.ngram_order, bos_id=vocabulary.bos_id, vocabulary_size=len(vocabulary)
        )
        nll = -float(ngrams.log_probabilities(valid.flat, valid.lengths).mean())
        baseline = of_characters(nll, _tokens(splits), characters)
    return NextToken(
        model.encoder,
        splits,
        bos_id=vocabulary.bos_id,
        pad_id=vocabulary.pad_id,
        device=device,
        label_smoothing=params.training.label_smoothing,
        characters=characters,
        baseline={f"ngram_{name}": value for name, value in baseline.items()},
    )
