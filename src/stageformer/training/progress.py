"""Where a training stands: everything that goes on changing, but for the tensors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.params.training import Training
from stageformer.training.tasks import Task


@dataclass
class Progress:
    """The numbers that a resumed training goes on from. All random draws follow from them and the seed."""

    update: int = 0
    """updates made"""
    epoch: int = 0
    batch: int = 0
    """batches of this epoch learnt from"""
    target_tokens: int = 0
    loss_since_validation: float = 0.0
    """summed over the target tokens below"""
    tokens_since_validation: int = 0
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

    def learnt(self, loss: float, target_tokens: int) -> None:
        """Count one update."""
        self.update += 1
        self.target_tokens += target_tokens
        self.loss_since_validation += loss
        self.tokens_since_validation += target_tokens

    def validated(self, valid_loss: float, valid_perplexity: float, learning_rate: float) -> Mapping[str, float]:
        """Count one validation; returns the point of each curve."""
        point = {
            "train_loss": self.loss_since_validation / self.tokens_since_validation,
            "valid_loss": valid_loss,
            "valid_perplexity": valid_perplexity,
            "learning_rate": learning_rate,
        }
        self.history.append((self.update, point))
        self.loss_since_validation, self.tokens_since_validation = 0.0, 0
        self.validations_since_best = 0 if valid_loss < self.best_valid_loss else self.validations_since_best + 1
        self.best_valid_loss = min(self.best_valid_loss, valid_loss)
        return point
