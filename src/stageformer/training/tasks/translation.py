"""The task of encoder and decoder together: predict the target from the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stageformer.batching.pairs import Pairs, require_targets
from stageformer.batching.sentences import Ints
from stageformer.model.transformer import Decoder, Transformer
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import Vocabulary
from stageformer.training.loss import Loss, perplexity, token_loss


@dataclass
class TranslationTask:
    """Encoder and decoder together: predict the target from the source. See :class:`.base.Task`."""

    model: Transformer
    splits: Mapping[str, Pairs]
    pad_id: int
    """of the source vocabulary"""
    device: torch.device
    label_smoothing: float
    unit = "target tokens"

    def ids(self, split: str) -> Ints:
        """Return the sentence ids of a split."""
        return self.splits[split].ids

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return the lengths of sources and of targets, of which the decoder reads one token less than they hold."""
        pairs = self.splits[split]
        return pairs.source.lengths, pairs.target.lengths - 1

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of the targets of ``rows [B]``."""
        pairs = self.splits[split]
        source_ids, source_present = pairs.source.take(rows).padded(self.pad_id)
        memory_present = source_present.to(self.device)
        memory = self.model.encoder(source_ids.to(self.device), memory_present)
        return decoder_loss(self.model.decoder, pairs, rows, memory, memory_present, self.label_smoothing)

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the perplexity."""
        return perplexity(means)


def encoder_task(
    params: TrainEncoder,
    model: Transformer,
    splits: Mapping[str, Pairs],
    vocabulary: Vocabulary,
    device: torch.device,
    characters: int,
) -> TranslationTask:
    """Return the task of the objective ``translation``; see :func:`stageformer.training.encoder_task.encoder_task`.

    Raises StageformerError when the corpus has no targets.
    """
    require_targets(splits["train"])
    return TranslationTask(model, splits, vocabulary.pad_id, device, params.training.label_smoothing)


def decoder_loss(
    decoder: Decoder,
    pairs: Pairs,
    rows: Ints,
    memory: Tensor,
    memory_present: Tensor,
    label_smoothing: float,
) -> Loss:
    """Return the loss of the targets of ``rows [B]``, given their ``memory [B, S, D]`` (present: ``[B, S]``)."""
    # Any id that the target vocabulary has: what fills the batch up is not present.
    target_ids, present = pairs.target.take(rows).padded(pad_id=0)
    target_ids = target_ids.to(memory.device)
    wanted = present[:, 1:].to(memory.device)  # [B, T - 1]: the decoder reads <bos> ..., and predicts ... <eos>
    hidden = decoder(target_ids[:, :-1], memory, memory_present)
    return token_loss(hidden[wanted], decoder.output_weight, target_ids[:, 1:][wanted], label_smoothing)
