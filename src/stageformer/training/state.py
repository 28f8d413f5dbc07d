"""Everything that a training changes: weights, optimizer, the checkpoints to keep, and how far it has come."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor, nn

from stageformer.artifacts.fields import check_fields
from stageformer.artifacts.tensors import is_finite
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

Count = Annotated[int, "", 0, 2**62]


@dataclass
class Progress:
    """How far a training has come, in numbers. All random draws follow from them and the seed."""

    update: Count = 0
    """updates made"""
    epoch: Count = 0
    batch: Count = 0
    """batches of this epoch learnt from"""
    num_targets: Count = 0
    loss_since_validation: Annotated[float, "", 0, sys.float_info.max] = 0.0
    """summed over the targets below"""
    targets_since_validation: Count = 0
    best_valid_loss: Annotated[float, "", 0, math.inf] = math.inf
    validations_since_best: Count = 0
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """the curves so far: update and values"""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the metadata of a checkpoint."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: Any) -> Progress:
        """Return what :meth:`to_dict` was made from. Raises ValueError if it can be no progress of a training."""
        check_fields(Progress, values, "progress")
        history = values["history"]
        if not isinstance(history, list) or not all(map(_is_point, history)):
            raise ValueError("progress.history is no list of updates and their curves")
        progress = Progress(**{**values, "history": [(update, dict(curves)) for update, curves in history]})
        best = min((curves["valid_loss"] for _, curves in progress.history), default=math.inf)
        updates = [update for update, _ in progress.history]
        if (
            updates != sorted(set(updates))
            or (updates and not 0 <= updates[0] <= updates[-1] <= progress.update)
            or progress.best_valid_loss != best
            or progress.epoch > progress.update
            or progress.batch > progress.update
            or (progress.epoch == 0 and progress.batch != progress.update)
        ):
            raise ValueError("the numbers of progress contradict each other")
        return progress

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


def _is_point(point: Any) -> bool:
    """Whether this is an update and the numbers of its curves, finite, with the validation loss among them."""
    if not isinstance(point, list | tuple) or len(point) != 2 or type(point[0]) is not int:
        return False
    curves = point[1]
    return isinstance(curves, dict) and "valid_loss" in curves and all(
        isinstance(name, str) and type(value) in (int, float) and math.isfinite(value)
        for name, value in curves.items()
    )


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
        self.size = training.average_checkpoints if training.keep in ("average", "average_best") else 1
        """how many at most"""
        self.checkpoints: list[Checkpoint] = []
        """the oldest first"""

    def offer(self, model: nn.Module, update: int, valid_loss: float) -> None:
        """Keep a copy of the weights as they are now, if they belong to those to keep. All processes must call it."""
        if len(self.checkpoints) == self.size:
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
        self._max_updates = training.max_updates
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

    def check(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        """Raise ValueError unless these are what :meth:`tensors` returns of this model after ``progress``."""
        if progress.update > self._max_updates:
            raise ValueError(f"it is after update {progress.update:,} of {self._max_updates:,}")
        wanted: dict[str, Tensor] = {}
        for name, weight in self.model.named_parameters():
            wanted[f"weights/{name}"] = weight
            for key, value in self.optimizer.state.get(weight, {}).items():
                wanted[f"optimizer/{key}/{name}"] = value
        kept = {name.split("/")[1] for name in tensors if name.startswith("kept/")}
        updates = {str(update) for update, _ in progress.history}
        if not kept <= updates or len(kept) != min(len(updates), self.kept.size):
            raise ValueError("the checkpoints that are kept for the model are not those of its history")
        for update in kept:
            wanted |= {f"kept/{update}/{name}": weight for name, weight in self.model.named_parameters()}
        if odd := sorted(wanted.keys() ^ tensors.keys()):
            raise ValueError(f"{odd[0]} is {'missing' if odd[0] in wanted else 'unknown'}")
        for name, tensor in tensors.items():
            if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
                raise ValueError(f"{name} is {list(tensor.shape)} of {tensor.dtype}, which does not fit the model")
            if not is_finite(tensor):
                raise ValueError(f"{name} holds numbers that are not finite")

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
            kept = _under(f"kept/{update}", tensors)
            weights = {name: kept[name].to(weight.device) for name, weight in weights_of(self.model).items()}
            self.kept.checkpoints.append(Checkpoint(update, valid_losses[update], weights))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
