"""Everything that a training changes: weights, optimizer, the checkpoints of the average, and how far it has come."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.building.weights import weights_of
from stageformer.compute.processes import clip, spread, whole
from stageformer.params.training import Training
from stageformer.training.optimizer import Adam
from stageformer.training.tasks.base import Task
from stageformer.training.validation import Validation


@dataclass
class Progress:
    """How far a training has come, in numbers. All random draws follow from them and the seed."""

    update: int = 0
    """updates made"""
    epoch: int = 0
    batch: int = 0
    """batches of this epoch learnt from"""
    num_targets: int = 0
    loss_since_validation: float = 0.0
    """summed over the targets below"""
    targets_since_validation: int = 0
    best_valid_loss: float = math.inf
    validations_since_best: int = 0
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """the curves so far: update and values"""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the metadata of a checkpoint."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Progress:
        """Return what :meth:`to_dict` was made from."""
        history = [(int(update), dict(curves)) for update, curves in values["history"]]
        return Progress(**{**values, "history": history})

    def batches(self, task: Task, training: Training) -> Iterator[Ints]:
        """Yield the batches from here on, one epoch after another, each in its own order; count them as they come."""
        while True:
            planned = plan_batches(*task.lengths("train"), training.batch_tokens, seed=training.seed, epoch=self.epoch)
            for rows in planned[self.batch :]:
                self.batch += 1
                yield rows
            self.epoch, self.batch = self.epoch + 1, 0

    def learnt(self, loss: float, num_targets: int) -> None:
        """Count one update."""
        self.update += 1
        self.num_targets += num_targets
        self.loss_since_validation += loss
        self.targets_since_validation += num_targets

    def validated(self, validation: Validation, learning_rate: float) -> Mapping[str, float]:
        """Count one validation; returns the point of each curve."""
        point = {
            "train_loss": self.loss_since_validation / self.targets_since_validation,
            "valid_loss": validation.loss,
            **{f"valid_{name}": value for name, value in validation.metrics.items()},
            "learning_rate": learning_rate,
        }
        self.history.append((self.update, point))
        self.loss_since_validation, self.targets_since_validation = 0.0, 0
        self.validations_since_best = 0 if validation.loss < self.best_valid_loss else self.validations_since_best + 1
        self.best_valid_loss = min(self.best_valid_loss, validation.loss)
        return point

    def patience_ended(self, training: Training) -> bool:
        """Return whether the validation loss has not improved for so long that the training stops."""
        return training.patience is not None and self.validations_since_best >= training.patience


class CheckpointAverage:
    """The trainable weights of the last few checkpoints, whose mean is usually better than the last (section 6.1)."""

    def __init__(self, size: int) -> None:
        """``size`` is the number of checkpoints in the average."""
        self.checkpoints: deque[dict[str, Tensor]] = deque(maxlen=size)
        """the weights of each, by name, the oldest first"""

    def add(self, model: nn.Module) -> None:
        """Keep a copy of the weights as they are now."""
        self.checkpoints.append({name: whole(weight).clone() for name, weight in weights_of(model).items()})

    def average(self) -> dict[str, Tensor]:
        """Return the mean of the checkpoints kept, by name of the weight."""
        count = len(self.checkpoints)
        return {
            name: torch.stack([checkpoint[name].double() for checkpoint in self.checkpoints]).mean(0).to(weight.dtype)
            if count > 1
            else weight
            for name, weight in self.checkpoints[-1].items()
        }


class TrainingState:
    """The state of a training, that can be taken apart into tensors and put together again."""

    def __init__(self, model: nn.Module, training: Training) -> None:
        """Take ``model`` as it is, with nothing learnt yet."""
        self.model = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = Adam(self.parameters, training)
        self.average = CheckpointAverage(training.average_checkpoints)
        self.progress = Progress()

    def clip(self, largest: float | None) -> float:
        """Scale the gradient so that its norm is at most ``largest`` (None: leave it); returns what the norm was."""
        return clip(self.parameters, math.inf if largest is None else largest)

    def step(self, rate: float) -> None:
        """Let the optimizer make a step at this learning rate."""
        self.optimizer.step(rate)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name: ``weights/...``, ``optimizer/...`` and ``average/...``.

        All processes must call it: a model that is cut over them is put together.
        """
        tensors = {f"weights/{name}": whole(weight) for name, weight in weights_of(self.model).items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = whole(value)
        for number, weights in enumerate(self.average.checkpoints):
            tensors |= {f"average/{number}/{name}": weight for name, weight in weights.items()}
        return tensors

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Put whole weights into the model."""
        for name, parameter in self.model.named_parameters():
            parameter.copy_(spread(weights[name], parameter))

    def restore(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`tensors` returned, and how far the training had come then."""
        self.progress = progress
        self.load(_under("weights", tensors))
        for key in sorted({name.split("/")[1] for name in tensors if name.startswith("optimizer/")}):
            values = _under(f"optimizer/{key}", tensors)
            for name, parameter in self.model.named_parameters():
                if name in values:
                    self.optimizer.state[parameter][key] = spread(values[name], parameter)
        for number in sorted({int(name.split("/")[1]) for name in tensors if name.startswith("average/")}):
            self.average.checkpoints.append(_under(f"average/{number}", tensors))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
