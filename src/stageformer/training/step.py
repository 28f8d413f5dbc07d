"""The forward pass, the loss and the backward pass of one update.

::

    cut the batch into micro-batches, each as much as one thread or GPU computes at once
    for each micro-batch, side by side:
        loss = task.loss("train", rows)                    forward pass and loss
        its gradients = d loss / d parameters              backward pass
    gradient = the sum over all micro-batches and processes, divided by the number of targets
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.compute.device import make_pool
from stageformer.compute.pool import Pool
from stageformer.compute.precision import autocast, random_draws
from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.loss import Loss
from stageformer.training.tasks.base import Task


class MicroBatch(NamedTuple):
    """Some examples of a batch, and the seed of everything random about them."""

    rows: Ints
    seed: int


class Gradients:
    """Compute the gradient of one batch after another, into the ``grad`` of the parameters.

    The random draws of a micro-batch follow from seed, update and place alone, and the gradients of micro-batches are
    added in their order. So the number of threads does not change a bit, and several processes change no more than the
    order of a sum: each takes every ``size``-th micro-batch, and one all-reduce adds up what they computed.
    """

    def __init__(self, task: Task, training: Training, compute: Compute, pool: Pool, processes: Processes) -> None:
        """Make room for the gradient."""
        self._task, self._training, self._compute, self._pool, self._processes = (
            task, training, compute, pool, processes,
        )  # fmt: skip
        self._parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        sizes = [parameter.numel() for parameter in self._parameters]
        self._sum = self._parameters[0].new_zeros(sum(sizes))
        # One tensor holds all gradients, so that one all-reduce adds them up.
        parts = torch.split(self._sum, sizes)
        self._sums = [part.view_as(parameter) for part, parameter in zip(parts, self._parameters, strict=True)]
        for parameter, part in zip(self._parameters, self._sums, strict=True):
            parameter.grad = part

    def compute(self, update: int, rows: Ints) -> tuple[float, int]:
        """Fill in the gradient of the mean loss of a batch; returns its summed loss and number of targets.

        Raises:
            StageformerError: there is not enough memory.
        """
        batches = micro_batches(self._task, self._training, self._compute, update, rows)
        own = batches[self._processes.rank :: self._processes.size]
        self._sum.zero_()
        losses, num_targets = [], 0
        for part_loss, part_targets, gradients in self._pool.map(self._forward_and_backward, own):
            losses.append(part_loss)
            num_targets += part_targets
            for total, gradient in zip(self._sums, gradients, strict=True):
                if gradient is not None:
                    total.add_(gradient)
            del gradients, gradient  # as large as the model: gone before the next ones come
        self._processes.add(self._sum)
        loss = sum(map(float, losses), 0.0)  # only now, since a GPU has to be waited for
        all_loss, all_targets = self._processes.add_numbers(loss, num_targets)
        self._sum.div_(all_targets)
        return all_loss, int(all_targets)

    def _forward_and_backward(self, batch: MicroBatch) -> tuple[Tensor, int, tuple[Tensor | None, ...]]:
        """Return the summed loss of a micro-batch, its number of targets, and the gradient of each parameter."""
        with out_of_memory_reported(self._task, "train", batch.rows):
            loss = forward(self._task, self._compute, batch)
            gradients = torch.autograd.grad(loss.total, self._parameters, allow_unused=True)
        return loss.total.detach(), loss.num_targets, gradients


def forward(task: Task, compute: Compute, batch: MicroBatch) -> Loss:
    """Return the loss of a micro-batch, with its own random draws, in the precision that ``compute`` asks for."""
    with random_draws(batch.seed, compute), autocast(compute):
        return task.loss("train", batch.rows)


def micro_batches(task: Task, training: Training, compute: Compute, update: int, rows: Ints) -> list[MicroBatch]:
    """Cut the batch ``rows`` of an update into micro-batches of examples of like length.

    Their seeds follow from the seed of the training, the update and their place alone.
    """
    source_lengths, target_lengths = (lengths[rows] for lengths in task.lengths("train"))
    parts = plan_batches(source_lengths, target_lengths, compute.micro_batch_tokens, seed=0, epoch=0)
    # The largest first: threads that have nothing left to do then wait the shortest for the last one.
    parts.sort(key=lambda part: len(part) * int(source_lengths[part].max() + target_lengths[part].max()), reverse=True)
    seeds = np.random.SeedSequence([training.seed, update]).generate_state(len(parts))
    return [MicroBatch(rows[part], int(seed)) for part, seed in zip(parts, seeds, strict=True)]


def make_training_pool(training: Training, compute: Compute, processes: Processes) -> Pool:
    """Make the pool of a training: one worker per micro-batch of an update, as far as the threads go.

    A sharded model is one piece of work: its layers are put together by all processes in the same order.
    """
    pieces = math.ceil(training.batch_tokens / compute.micro_batch_tokens / processes.size)
    return make_pool(compute, 1 if compute.sharded else pieces)


@contextmanager
def out_of_memory_reported(task: Task, split: str, rows: Ints) -> Iterator[None]:
    """Turn an allocation that fails into an error that names the sentences.

    Raises:
        StageformerError: there is not enough memory to compute ``rows``.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's has no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        sources, targets = (lengths[rows] for lengths in task.lengths(split))
        raise StageformerError(
            f"out of memory with {len(rows)} sentences of {split} of up to {sources.max()} source and {targets.max()} "
            f"target tokens ({named(task, split, rows)}); lower compute.micro_batch_tokens, or ingest.max_characters "
            "if a single sentence is too long"
        ) from None


def named(task: Task, split: str, rows: Ints) -> str:
    """Return the ids of some sentences, the first few of many."""
    ids = task.ids(split)[rows]
    listed = ", ".join(str(number) for number in ids[:8])
    return f"ids {listed}" + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
