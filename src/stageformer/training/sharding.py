"""A model that does not fit on one device: it is split between the processes (FSDP2, Zhao et al. 2023)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from stageformer.batching.sentences import Ints
from stageformer.compute.processes import Processes
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.loss import Loss
from stageformer.training.step import forward, micro_batches, out_of_memory_reported
from stageformer.training.tasks.base import Task

AnyTask = TypeVar("AnyTask", bound=Task)


class ShardedTask:
    """A task on a cut copy of its model; see :class:`~stageformer.training.tasks.base.Task`.

    Each layer is put together from all processes just before it computes, and the embeddings for the time of the loss.
    """

    def __init__(self, task: Task) -> None:
        """Copy the model of ``task`` and cut the copy."""
        # Here, since it takes a second to import.
        from torch.distributed.fsdp import fully_shard

        self._task = _on_a_copy_of_the_model(task)
        self.unit = task.unit
        for module in list(self.model.modules()):
            if isinstance(module, EncoderLayer | DecoderLayer):
                fully_shard(module)
        self._root = _LossOf(self._task)
        fully_shard(self._root)  # in place

    @property
    def model(self) -> nn.Module:
        """The cut copy."""
        return self._task.model

    def ids(self, split: str) -> Ints:
        """Return those of the task."""
        return self._task.ids(split)

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        """Return those of the task."""
        return self._task.lengths(split)

    def loss(self, split: str, rows: Ints) -> Loss:
        """Return that of the task on the cut model. All processes must call it equally often."""
        loss: Loss = self._root(split, rows)
        return loss

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """Return those of the task."""
        return self._task.metrics(means)


def _on_a_copy_of_the_model(task: AnyTask) -> AnyTask:
    """Return a copy of a task that has a model of its own and shares all else, such as the sentences."""
    shared = {id(value): value for name, value in vars(task).items() if name != "model"}
    return copy.deepcopy(task, shared)  # as if these had been copied already


class _LossOf(nn.Module):
    """FSDP puts weights together when ``forward`` is called, so the loss is computed in one."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model = task.model
        self._task = task

    def forward(self, split: str, rows: Ints) -> Loss:
        return self._task.loss(split, rows)


class ShardedGradients:
    """What :class:`~stageformer.training.step.Gradients` does, for a :class:`ShardedTask`."""

    def __init__(self, task: Task, training: Training, compute: Compute, processes: Processes) -> None:
        self._task, self._training, self._compute, self._processes = task, training, compute, processes
        self._parameters = list(task.model.parameters())

    def compute(self, update: int, rows: Ints) -> tuple[float, int]:
        """See :class:`~stageformer.training.step.Gradients`."""
        loss, num_targets = 0.0, 0
        for parameter in self._parameters:
            parameter.grad = None
        batches = micro_batches(self._task, self._training, self._compute, update, rows)
        for batch, counts in self._processes.evenly(batches):
            with out_of_memory_reported(self._task, "train", batch.rows):
                part = forward(self._task, self._compute, batch)
                (part.total * counts).backward()  # type: ignore[no-untyped-call]
            if counts:
                loss, num_targets = loss + float(part.total.detach()), num_targets + part.num_targets
        all_loss, all_targets = self._processes.add_numbers(loss, num_targets)
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(self._processes.size / all_targets)  # FSDP took the mean over the processes
        return all_loss, int(all_targets)
