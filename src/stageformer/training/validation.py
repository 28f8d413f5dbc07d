"""The loss of the model on the examples that it does not learn from."""

from __future__ import annotations

from typing import NamedTuple

import torch

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.compute.pool import Pool
from stageformer.compute.precision import autocast
from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.training.step import out_of_memory_reported
from stageformer.training.tasks.base import Task

ADVICE_ON_DIVERGENCE = "lower training.learning_rate or training.clip_norm, or raise training.warmup_updates"

LARGEST_LOSS = 700.0
"""Nats per target; the perplexity of a larger loss is beyond double precision."""


class Validation(NamedTuple):
    """The result of a validation."""

    loss: float
    """the mean of what training minimises, over the targets of the split ``valid``"""
    metrics: dict[str, float]
    """what the task reports besides, by name"""


def validate(task: Task, compute: Compute, pool: Pool, processes: Processes) -> Validation:
    """Return the mean loss and the metrics of the task on the split ``valid``.

    Raises:
        StageformerError: the loss is not finite, or too large for a model that learns.
    """

    @torch.no_grad()
    def forward(share: tuple[Ints, bool]) -> tuple[int, float, dict[str, float]]:
        rows, counts = share
        with out_of_memory_reported(task, "valid", rows), autocast(compute):
            loss = task.loss("valid", rows)
        sums = {name: float(value) * counts for name, value in loss.sums.items()}
        return loss.num_targets * counts, float(loss.total) * counts, sums

    task.model.eval()
    batches = plan_batches(*task.lengths("valid"), compute.micro_batch_tokens, seed=0, epoch=0)
    num_targets, total, sums = 0.0, 0.0, dict[str, float]()
    for part_targets, part_total, part_sums in pool.map(forward, processes.evenly(batches)):
        num_targets, total = num_targets + part_targets, total + part_total
        sums = {name: sums.get(name, 0.0) + value for name, value in part_sums.items()}
    task.model.train()
    num_targets, total, *all_sums = processes.add_numbers(num_targets, total, *sums.values())
    loss = total / num_targets
    if not loss <= LARGEST_LOSS:  # nan included
        raise StageformerError(
            f"the validation loss is {loss:.4g} nats per target: the training diverged; {ADVICE_ON_DIVERGENCE}"
        )
    means = {name: value / num_targets for name, value in zip(sums, all_sums, strict=True)}
    return Validation(loss, task.metrics(means))
