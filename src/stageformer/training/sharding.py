"""A model that no one device holds: it is cut over the processes (FSDP2, Zhao et al. 2023)."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import nn
from torch.distributed.fsdp import fully_shard

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.compute.device import make_pool
from stageformer.compute.processes import Processes
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.loss import Loss
from stageformer.training.micro_batches import micro_batches, out_of_memory_told, training_loss
from stageformer.training.tasks import Task


class ShardedTask:
    """A task on a cut copy of its model; see :class:`~stageformer.training.tasks.Task`.

    Each layer is put together from all processes just before it computes, and the embeddings for the time of the loss.
    """

    def __init__(self, task: Task) -> None:
        """Copy the model of ``task`` and cut the copy."""
        self._task = copy.copy(task)
        self.model: nn.Module = copy.deepcopy(task.model)
        self._task.model = self.model  # type: ignore[misc]  # the tasks are dataclasses, the protocol only reads
        for module in list(self.model.modules()):
            if isinstance(module, EncoderLayer | DecoderLayer):
                fully_shard(module)
        self._root = _LossOf(self._task)
        fully_shard(self._root)  # in place

    @property
    def splits(self) -> Mapping[str, Pairs]:
        """Return the sentences of ``train`` and ``valid``."""
        return self._task.splits

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """See :class:`~stageformer.training.tasks.Task`."""
        return self._task.lengths(split)

    def loss(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        """See :class:`~stageformer.training.tasks.Task`. All processes must call it equally often."""
        loss: Loss = self._root(split, rows, label_smoothing)
        return loss


class _LossOf(nn.Module):
    """FSDP puts weights together when ``forward`` is called, so the loss is computed in one."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model = task.model
        self._task = task

    def forward(self, split: str, rows: Ints, label_smoothing: float) -> Loss:
        return self._task.loss(split, rows, label_smoothing)


class ShardedGradients:
    """What :class:`~stageformer.training.gradients.Gradients` does, for a :class:`ShardedTask`."""

    def __init__(self, task: Task, training: Training, compute: Compute, processes: Processes) -> None:
        self._task, self._training, self._compute, self._processes = task, training, compute, processes
        self.pool = make_pool(compute, 1)
        self._parameters = list(task.model.parameters())

    def compute(self, update: int, rows: Ints) -> tuple[float, int]:
        """See :class:`~stageformer.training.gradients.Gradients`."""
        loss, tokens = 0.0, 0
        for parameter in self._parameters:
            parameter.grad = None
        batches = micro_batches(self._task, self._training, self._compute, update, rows)
        for batch, counts in self._processes.evenly(batches):
            with out_of_memory_told(self._task, "train", batch.rows):
                part = training_loss(self._task, self._training, self._compute, batch)
                (part.smoothed * counts).backward()  # type: ignore[no-untyped-call]
            if counts:
                loss, tokens = loss + float(part.smoothed.detach()), tokens + part.num_tokens
        all_loss, all_tokens = self._processes.add_numbers(loss, tokens)
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(self._processes.size / all_tokens)  # FSDP took the mean over the processes
        return all_loss, int(all_tokens)

    def close(self) -> None:
        """Nothing to end: all is done in this thread."""
        self.pool.close()
