"""Everything that a training changes: weights, optimizer, the checkpoints of the average, and where it stands."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stageformer.building.weights import weights_of
from stageformer.compute.processes import clip, spread, whole
from stageformer.params.training import Training
from stageformer.training.averaging import CheckpointAverage
from stageformer.training.optimizer import Adam
from stageformer.training.progress import Progress


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
        """Take over what :meth:`tensors` returned, and where the training stood then."""
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
