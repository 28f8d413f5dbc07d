"""Everything that a training changes: weights, optimizer, the checkpoints to keep, and how far it has come."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.building.weights import weights_of
from stageformer.compute.pool import Pool
from stageformer.compute.processes import clip, spread, whole
from stageformer.params.training import Training
from stageformer.training.muon import Muon
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


class Checkpoint(NamedTuple):
    """The model at one validation."""

    update: int
    valid_loss: float
    weights: dict[str, Tensor]
    """what is trained, by name; not cut over the processes"""


class KeptCheckpoints:
    """The checkpoints that become the model: as ``keep`` says, the last or the best, one or several.

    The mean of several is usually better than any of them (section 6.1 of the paper averages the last).
    """

    def __init__(self, training: Training) -> None:
        """Begin with none."""
        self._best = training.keep in ("best", "average_best")
        self._size = training.average_checkpoints if training.keep in ("average", "average_best") else 1
        self.checkpoints: list[Checkpoint] = []
        """the oldest first"""

    def offer(self, model: nn.Module, update: int, valid_loss: float) -> None:
        """Keep a copy of the weights as they are now, if they belong to those to keep. All processes must call it."""
        if len(self.checkpoints) == self._size:
            # Of equal losses, the earlier checkpoint stays.
            worst = max(self.checkpoints, key=lambda checkpoint: (checkpoint.valid_loss, checkpoint.update))
            if self._best and valid_loss >= worst.valid_loss:
                return
            self.checkpoints.remove(worst if self._best else self.checkpoints[0])
        weights = {name: whole(weight).clone() for name, weight in weights_of(model).items()}
        self.checkpoints.append(Checkpoint(update, valid_loss, weights))

    def mean(self) -> dict[str, Tensor]:
        """Return the mean of the checkpoints, by name of the weight."""
        all_weights = [checkpoint.weights for checkpoint in self.checkpoints]
        if len(all_weights) == 1:
            return all_weights[0]
        return {
            name: torch.stack([weights[name].double() for weights in all_weights]).mean(0).to(weight.dtype)
            for name, weight in all_weights[0].items()
        }


class TrainingState:
    """The state of a training, that can be taken apart into tensors and put together again."""

    def __init__(self, model: nn.Module, training: Training, pool: Pool) -> None:
        """Take ``model`` as it is, with nothing learnt yet. ``pool`` computes the steps of Muon."""
        self.model = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer: Adam | Muon = (
            Muon(model, training, pool) if training.optimizer == "muon" else Adam(self.parameters, training)
        )
        self.kept = KeptCheckpoints(training)
        self.progress = Progress()

    def clip(self, largest: float | None) -> float:
        """Scale the gradient so that its norm is at most ``largest`` (None: leave it); returns what the norm was."""
        return clip(self.parameters, math.inf if largest is None else largest)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name: ``weights/...``, ``optimizer/...`` and ``kept/...``.

        All processes must call it: a model that is cut over them is put together.
        """
        tensors = {f"weights/{name}": whole(weight) for name, weight in weights_of(self.model).items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = whole(value)
        for update, _, weights in self.kept.checkpoints:
            tensors |= {f"kept/{update}/{name}": weight for name, weight in weights.items()}
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
        valid_losses = {update: point["valid_loss"] for update, point in progress.history}
        for update in sorted({int(name.split("/")[1]) for name in tensors if name.startswith("kept/")}):
            weights = _under(f"kept/{update}", tensors)
            self.kept.checkpoints.append(Checkpoint(update, valid_losses[update], weights))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
