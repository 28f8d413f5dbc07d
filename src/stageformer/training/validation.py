"""The loss of the model on the sentences that it does not learn from."""

from __future__ import annotations

import math

import torch

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.compute.pool import Pool
from stageformer.compute.precision import autocast
from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.micro_batches import out_of_memory_told
from stageformer.training.tasks import Task

MENDS_OF_DIVERGENCE = "lower training.learning_rate or training.clip_norm, or raise training.warmup_updates"

LARGEST_LOSS = 700.0
"""Nats a token; the perplexity of a larger loss is beyond double precision."""


def validate(
    task: Task, training: Training, compute: Compute, pool: Pool, processes: Processes
) -> tuple[float, float]:
    """Return the mean smoothed loss and the perplexity on the split ``valid``.

    Raises:
        StageformerError: the loss is no number.
    """

    @torch.no_grad()
    def part(share: tuple[Ints, bool]) -> tuple[float, float, int]:
        rows, counts = share
        with out_of_memory_told(task, "valid", rows), autocast(compute):
            loss = task.loss("valid", rows, training.label_smoothing)
        return float(loss.smoothed) * counts, float(loss.log_likelihood) * counts, loss.num_tokens * counts

    task.model.eval()
    batches = plan_batches(*task.lengths("valid"), compute.micro_batch_tokens, seed=0, epoch=0)
    smoothed, log_likelihood, tokens = 0.0, 0.0, 0.0
    for part_smoothed, part_log_likelihood, part_tokens in pool.map(part, processes.evenly(batches)):
        smoothed += part_smoothed
        log_likelihood += part_log_likelihood
        tokens += part_tokens
    task.model.train()
    smoothed, log_likelihood, tokens = processes.add_numbers(smoothed, log_likelihood, tokens)
    if not smoothed / tokens <= LARGEST_LOSS:  # nan included
        raise StageformerError(
            f"the validation loss is {smoothed / tokens:.4g} nats a token: the training diverged; "
            f"{MENDS_OF_DIVERGENCE}"
        )
    return smoothed / tokens, math.exp(log_likelihood / tokens)
