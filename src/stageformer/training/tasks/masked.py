"""The task of an encoder alone: predict tokens that are hidden from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.kernels.draws import current_generator
from stageformer.model.transformer import Transformer
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from stageformer.training.loss import Loss, of_characters, token_loss
from stageformer.training.tasks.sources_alone import SourcesAlone


@dataclass
class MaskedTokens(SourcesAlone):
    """The encoder alone: predict hidden source tokens (Devlin et al. 2019). See :class:`.base.Task`.

    Of the tokens chosen, 80 % are replaced by <unk> (the vocabulary has no token of its own for it), 10 % by a random
    token, and 10 % are left. The output projection is the source embedding.
    """

    masked_fraction: float
    pad_id: int
    unk_id: int
    num_special: int
    device: torch.device
    seed: int
    label_smoothing: float
    characters: int
    """of the sources of ``valid``"""
    unit = "target tokens"

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return the loss of the tokens hidden in ``rows [B]``."""
        source_ids, present = self.splits[split].source.take(rows).padded(self.pad_id)
        # Validation hides the same tokens every time, so that its losses can be compared.
        validation = torch.Generator().manual_seed(self.seed + int(rows[0]))
        generator = current_generator() if self.model.training else validation
        chance = torch.rand(source_ids.shape, generator=generator)
        ordinary = present & (source_ids >= self.num_special)  # <eos> is special
        chosen = ordinary & (chance < self.masked_fraction)
        chosen[0, 0] |= not bool(chosen.any())  # at least one, or there is no loss
        kind = torch.rand(source_ids.shape, generator=generator)
        vocabulary = self.model.embedding.config.vocabulary_size
        random_ids = torch.randint(self.num_special, vocabulary, source_ids.shape, generator=generator)
        seen = torch.where(chosen & (kind < 0.8), self.unk_id, source_ids)
        seen = torch.where(chosen & (kind >= 0.9), random_ids, seen)
        memory = self.model(seen.to(self.device), present.to(self.device))
        hidden = memory[chosen.to(self.device)]  # [N, D]
        targets = source_ids[chosen].to(self.device)
        return token_loss(hidden, self.model.embedding.weight, targets, self.label_smoothing)

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return the perplexity of the hidden tokens, and bits per character if all tokens were as hard as these."""
        ids = self.splits["valid"].source.flat
        return of_characters(means["nll"], int((ids >= self.num_special).sum()), self.characters)


def encoder_task(
    params: TrainEncoder,
    model: Transformer,
    splits: Mapping[str, Pairs],
    vocabulary: Vocabulary,
    device: torch.device,
    characters: int,
) -> MaskedTokens:
    """Return the task of the objective ``masked``; see :func:`stageformer.training.encoder_task.encoder_task`."""
    return MaskedTokens(
        model.encoder,
        splits,
        masked_fraction=params.masked_fraction,
        pad_id=vocabulary.pad_id,
        unk_id=vocabulary.unk_id,
        num_special=len(SPECIAL_TOKENS),
        device=device,
        seed=params.training.seed,
        label_smoothing=params.training.label_smoothing,
        characters=characters,
    )
