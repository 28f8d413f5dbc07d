"""The gradient of a batch: the sum of those of its micro-batches, computed by threads and processes side by side."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stageformer.batching.sentences import Ints
from stageformer.compute.device import make_pool
from stageformer.compute.processes import Processes
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.micro_batches import MicroBatch, micro_batches, out_of_memory_told, training_loss
from stageformer.training.tasks import Task

PartGradient = tuple[float, int, tuple[Tensor | None, ...]]
"""Summed loss, number of target tokens, and the gradient by parameter, of one micro-batch."""


class Gradients:
    """Compute the gradient of one batch after another, into the ``grad`` of the parameters.

    The random draws of a micro-batch follow from seed, update and place alone, and the gradients of micro-batches are
    added in their order. So the number of threads does not change a bit, and several processes change no more than the
    order of a sum: each takes every ``size``-th micro-batch, and one all-reduce adds up what they found.
    """

    def __init__(self, task: Task, training: Training, compute: Compute, processes: Processes) -> None:
        """Make the threads, and room for the gradient."""
        self._task, self._training, self._compute, self._processes = task, training, compute, processes
        self.pool = make_pool(compute, math.ceil(training.batch_tokens / compute.micro_batch_tokens / processes.size))
        self._parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        sizes = [parameter.numel() for parameter in self._parameters]
        self._sum = self._parameters[0].new_zeros(sum(sizes))
        # One tensor holds all gradients, so that one all-reduce adds them up.
        parts = torch.split(self._sum, sizes)
        self._sums = [part.view_as(parameter) for part, parameter in zip(parts, self._parameters, strict=True)]
        for parameter, part in zip(self._parameters, self._sums, strict=True):
            parameter.grad = part

    def compute(self, update: int, rows: Ints) -> tuple[float, int]:
        """Fill in the gradient of the mean loss of a batch; returns its summed loss and number of target tokens.

        Raises:
            StageformerError: there is not enough memory.
        """
        batches = micro_batches(self._task, self._training, self._compute, update, rows)
        own = batches[self._processes.rank :: self._processes.size]
        self._sum.zero_()
        loss, tokens = 0.0, 0
        for part_loss, part_tokens, gradients in self.pool.map(self._part, own):
            loss, tokens = loss + part_loss, tokens + part_tokens
            for total, gradient in zip(self._sums, gradients, strict=True):
                if gradient is not None:
                    total.add_(gradient)
            del gradients, gradient  # as large as the model: gone before the next ones come
        self._processes.add(self._sum)
        all_loss, all_tokens = self._processes.add_numbers(loss, tokens)
        self._sum.div_(all_tokens)
        return all_loss, int(all_tokens)

    def close(self) -> None:
        """End the threads."""
        self.pool.close()

    def _part(self, batch: MicroBatch) -> PartGradient:
        with out_of_memory_told(self._task, "train", batch.rows):
            loss = training_loss(self._task, self._training, self._compute, batch)
            gradients = torch.autograd.grad(loss.smoothed, self._parameters, allow_unused=True)
        return float(loss.smoothed.detach()), loss.num_tokens, gradients
