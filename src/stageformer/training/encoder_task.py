"""The task of the stage ``train_encoder``: that of its objective."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from stageformer.batching.pairs import Pairs
from stageformer.model.transformer import Transformer
from stageformer.params.choices import chosen
from stageformer.params.train_encoder import UNTRAINED, TrainEncoder
from stageformer.text.vocabulary import Vocabulary
from stageformer.training.tasks.base import Task


def encoder_task(
    params: TrainEncoder,
    model: Transformer,
    splits: Mapping[str, Pairs],
    vocabulary: Vocabulary,
    device: torch.device,
    characters: int,
) -> Task | None:
    """Return the task that trains an encoder, or None where it is left as initialised.

    An objective is the file of its name in ``training/tasks/``, with a function ``encoder_task`` like this one.

    Args:
        params: the parameters of the stage
        model: the encoder with its throw-away decoder, on ``device``
        splits: the pairs of ``train`` and ``valid``
        vocabulary: of the sources
        device: where to compute
        characters: of the sources of ``valid``, for bits per character
    """
    if params.trained_by in UNTRAINED:
        return None
    task: Task = chosen("stageformer.training.tasks", params.trained_by).encoder_task(
        params, model, splits, vocabulary, device, characters
    )
    return task
