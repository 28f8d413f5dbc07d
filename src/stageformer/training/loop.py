"""The one loop of every training stage.

::

    go back to the newest checkpoint, if there is one
    until max_updates, or until the validation loss has not improved for `patience` validations:
        take the next batch
        forward pass, loss and backward pass: the gradient of the mean loss     step.py, tasks/
        clip the gradient; Adam or Muon changes the weights                     optimizer.py, muon.py
        every validate_every updates, and at the end:
            loss and metrics on the split `valid`                               validation.py
            log them; keep the weights, if `keep` asks for them                 state.py
        write a checkpoint where one is due                                     checkpoints.py
        after SIGINT or SIGTERM: write one, and leave
    put what was kept, or its mean, into the model, and validate it
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import nn
from tqdm import tqdm

from stageformer.batching.sentences import Ints
from stageformer.building.weights import load_weights
from stageformer.compute.pool import Pool
from stageformer.compute.precision import compile_layers
from stageformer.compute.processes import ALONE, Processes
from stageformer.console.output import clean, say
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.checkpoints import Checkpoints, interruptible
from stageformer.training.optimizer import learning_rate
from stageformer.training.sharding import ShardedGradients, ShardedTask
from stageformer.training.state import Progress, TrainingState
from stageformer.training.step import Gradients, make_training_pool, named
from stageformer.training.tasks.base import Task
from stageformer.training.validation import ADVICE_ON_DIVERGENCE, LARGEST_LOSS, Validation, validate

Log = Callable[[int, Mapping[str, float]], None]
"""Called with the number of the update and the values of the curves at it."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    metrics: dict[str, float]
    """the same numbers for the same inputs"""
    seconds: float
    speed: str
    """targets per second, such as ``7,612 target tokens/s``"""


def train(
    task: Task,
    training: Training,
    compute: Compute,
    log: Log,
    title: str,
    processes: Processes = ALONE,
    checkpoints: Checkpoints | None = None,
) -> Outcome:
    """Train ``task.model`` as ``training`` says, and leave in it the weights that ``training.keep`` asks for.

    Every ``validate_every`` updates, and at the end, the model is validated and logged. With ``checkpoints`` the
    training resumes from the newest, as if it had never stopped.

    Args:
        task: what is learnt.
        training: how.
        compute: on what machine.
        log: called at every validation, and for those before a resumed training began.
        title: names the training in what is printed.
        processes: those that train together, this one and the others.
        checkpoints: where to resume from and save to; None: neither.

    Raises:
        StageformerError: there is nothing to train or to validate on, or the training diverged.
        SystemExit: SIGINT or SIGTERM came; a checkpoint was written.
    """
    for split in ("train", "valid"):
        if not len(task.ids(split)):
            raise StageformerError(f"{title}: the split {split!r} has no sentences; change the split of ingest")
    whole_model = task.model
    with make_training_pool(training, compute, processes) as pool:
        task, gradients = _ready(task, training, compute, pool, processes)
        state = TrainingState(task.model, training, pool)
        if checkpoints is not None and (
            newest := checkpoints.newest(state.check, quiet=not processes.is_first)
        ) is not None:
            state.restore(*newest)
            if processes.is_first:
                say(f"{title}: resuming after update {state.progress.update:,} of {training.max_updates:,}")
        progress = state.progress
        for update, earlier in progress.history:
            log(update, earlier)
        batches = progress.batches(task, training)
        with interruptible() as interruption, _Display(title, task, training, progress, processes) as display:
            while progress.update < training.max_updates and not progress.patience_ended(training):
                rows = next(batches)
                rate = learning_rate(progress.update + 1, training)
                loss, num_targets = gradients.compute(progress.update + 1, rows)
                norm = state.clip(training.clip_norm)
                if not (loss / num_targets <= LARGEST_LOSS and math.isfinite(norm)):  # nan included
                    raise _diverged(task, progress.update + 1, rows, loss / num_targets, checkpoints)
                state.optimizer.step(rate)
                progress.learnt(loss, num_targets)
                display.updated(loss / num_targets)
                if progress.update % training.validate_every == 0 or progress.update == training.max_updates:
                    validation = validate(task, compute, pool, processes)
                    state.kept.offer(task.model, progress.update, validation.loss)
                    point = progress.validated(validation, rate)
                    log(progress.update, point)
                    display.validated(point)
                due = processes.is_first and checkpoints is not None and checkpoints.due()
                interrupted, wanted = processes.add_numbers(interruption.signal, due)
                if interrupted or wanted:
                    tensors = state.tensors()
                    if checkpoints is not None and processes.is_first:
                        checkpoints.write(progress, tensors)
                if interrupted:
                    interruption.exit()
        weights = state.kept.mean()
        state.load(weights)
        validation = validate(task, compute, pool, processes)
    load_weights(whole_model, weights)
    return Outcome(_metrics(task, whole_model, state, validation), display.seconds, display.speed)


class _Gradients(Protocol):
    def compute(self, update: int, rows: Ints) -> tuple[float, int]: ...


def _ready(
    task: Task, training: Training, compute: Compute, pool: Pool, processes: Processes
) -> tuple[Task, _Gradients]:
    """Return the task with its model in training mode, cut or compiled where asked, and what computes gradients."""
    gradients: _Gradients
    if compute.sharded:
        task = ShardedTask(task)
        gradients = ShardedGradients(task, training, compute, processes)
    else:
        gradients = Gradients(task, training, compute, pool, processes)
    task.model.train()
    if compute.compile:
        compile_layers(task.model, compute)
    return task, gradients


class _Display:
    """What the first process shows of a training: a bar on a terminal, and a line at each validation."""

    def __init__(
        self, title: str, task: Task, training: Training, progress: Progress, processes: Processes
    ) -> None:
        self._title, self._unit, self._training, self._progress = title, task.unit, training, progress
        self._shown = processes.is_first
        self._update_before, self._targets_before = progress.update, progress.num_targets
        self._started = self._now = time.perf_counter()
        self._bar = tqdm(
            total=training.max_updates, initial=progress.update, desc=title, unit="update", mininterval=1.0,
            disable=None if self._shown else True,  # None: unless it is not a terminal
        )  # fmt: skip

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Seconds of the updates made here, with their validations and checkpoints."""
        return self._now - self._started

    @property
    def speed(self) -> str:
        """Targets per second."""
        per_second = (self._progress.num_targets - self._targets_before) / max(self.seconds, 1e-9)
        return f"{per_second:,.0f} {self._unit}/s"

    def updated(self, loss: float) -> None:
        """Show one update more."""
        self._now = time.perf_counter()
        self._bar.update()
        if self._progress.update % 10 == 0:
            self._bar.set_postfix_str(f"loss {loss:.3f}, {self.speed}")

    def validated(self, point: Mapping[str, float]) -> None:
        """Print a line."""
        if not self._shown:
            return
        self._now = time.perf_counter()
        update, last = self._progress.update, self._training.max_updates
        losses = f"train loss {point['train_loss']:.3f}, valid loss {point['valid_loss']:.3f}"
        line = f"{self._title}: update {update:,} of {last:,}: {losses}, {self.speed}"
        if self._progress.patience_ended(self._training):
            line += f"; stopped: no better loss in {self._training.patience} validations"
        else:
            left = self.seconds / (update - self._update_before) * (last - update)
            line += f", {tqdm.format_interval(left)} left"
        self._bar.write(clean(line), file=sys.stderr)


def _metrics(task: Task, model: nn.Module, state: TrainingState, validation: Validation) -> dict[str, float]:
    return {
        "updates": state.progress.update,
        "kept_update": state.kept.checkpoints[-1].update,  # the newest, where several are kept
        "kept_checkpoints": len(state.kept.checkpoints),
        task.unit.replace(" ", "_"): state.progress.num_targets,
        "valid_loss": validation.loss,
        **{f"valid_{name}": value for name, value in validation.metrics.items()},
        "best_valid_loss_of_a_checkpoint": state.progress.best_valid_loss,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _diverged(task: Task, update: int, rows: Ints, loss: float, checkpoints: Checkpoints | None) -> StageformerError:
    last = checkpoints.last_path() if checkpoints is not None else None
    return StageformerError(
        f"the training diverged at update {update}: the loss is {loss:.4g} nats per target or its gradient is not "
        f"finite, on the sentences {named(task, 'train', rows)}; the last good checkpoint is {last or 'none yet'}; "
        f"{ADVICE_ON_DIVERGENCE}"
    )
