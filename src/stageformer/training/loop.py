"""The one loop of every training stage."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from tqdm import tqdm

from stageformer.batching.sentences import Ints
from stageformer.building.weights import load_weights
from stageformer.compute.precision import compile_layers
from stageformer.compute.processes import ALONE, Processes
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.gradients import Gradients
from stageformer.training.interruption import interruptible
from stageformer.training.micro_batches import named
from stageformer.training.progress import Progress
from stageformer.training.schedule import learning_rate
from stageformer.training.state import TrainingState
from stageformer.training.tasks import Task
from stageformer.training.validation import LARGEST_LOSS, MENDS_OF_DIVERGENCE, validate

Log = Callable[[int, Mapping[str, float]], None]
"""Called with the number of the update and the values of the curves at it."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    weights: dict[str, Tensor]
    """the average of the last checkpoints, by name of the weight"""
    metrics: dict[str, float]
    """the same numbers for the same inputs"""
    seconds: float
    target_tokens_per_second: float


def train(
    task: Task,
    training: Training,
    compute: Compute,
    log: Log,
    title: str,
    processes: Processes = ALONE,
    checkpoints: Checkpoints | None = None,
) -> Outcome:
    """Train ``task.model`` as ``training`` says, and leave the averaged weights in it.

    Every ``validate_every`` updates, and at the end, the model is validated, logged and kept for the average. With
    ``checkpoints`` the training goes on from the newest, as if it had never stopped.

    Raises:
        StageformerError: there is nothing to train or to validate on, or the training diverged.
        SystemExit: SIGINT or SIGTERM came; a checkpoint was written.
    """
    for split in ("train", "valid"):
        if not len(task.lengths(split)[0]):
            raise StageformerError(f"{title}: found no sentences in the split {split!r}; change the split of ingest")
    whole_model = task.model
    gradients: Gradients | ShardedGradients
    if compute.sharded:
        # Here, since what it stands on takes a second to import.
        from stageformer.training.sharding import ShardedGradients, ShardedTask

        task = ShardedTask(task)
        gradients = ShardedGradients(task, training, compute, processes)
    else:
        gradients = Gradients(task, training, compute, processes)
    model = task.model
    model.train()
    if compute.compile:
        compile_layers(model, compute)
    state = TrainingState(model, training)
    if checkpoints is not None and (found := checkpoints.newest(quiet=not processes.is_first)) is not None:
        state.restore(*found)
        if processes.is_first:
            print(f"{title}: goes on after update {state.progress.update} of {training.max_updates}", file=sys.stderr)
    progress = state.progress
    for update, point in progress.history:
        log(update, point)

    def save() -> None:
        tensors = state.tensors()
        if checkpoints is not None and processes.is_first:
            checkpoints.write(progress, tensors)

    started, tokens_before = time.perf_counter(), progress.target_tokens
    batches = progress.batches(task, training)
    bar = tqdm(
        total=training.max_updates, initial=progress.update, desc=title, unit="update", mininterval=1.0,
        disable=None if processes.is_first else True,
    )  # fmt: skip
    with interruptible() as interruption, bar:
        while progress.update < training.max_updates and not _patience_ended(progress, training):
            rows = next(batches)
            rate = learning_rate(progress.update + 1, training)
            loss, tokens = gradients.compute(progress.update + 1, rows)
            norm = state.clip(training.clip_norm)
            if not (loss / tokens <= LARGEST_LOSS and math.isfinite(norm)):  # nan included
                raise _diverged(task, progress.update + 1, rows, loss / tokens, checkpoints)
            state.step(rate)
            progress.learnt(loss, tokens)
            bar.update()
            if progress.update % 10 == 0:
                speed = (progress.target_tokens - tokens_before) / (time.perf_counter() - started)
                bar.set_postfix_str(f"loss {loss / tokens:.3f}, {speed:,.0f} target tokens/s")
            if progress.update % training.validate_every == 0 or progress.update == training.max_updates:
                state.average.add(model)
                valid_loss, perplexity = validate(task, training, compute, gradients.pool, processes)
                log(progress.update, progress.validated(valid_loss, perplexity, rate))
                if _patience_ended(progress, training):
                    reason = f"no better loss in {training.patience} validations"
                    bar.write(f"{title}: stopped at update {progress.update}: {reason}", file=sys.stderr)
            due = processes.is_first and checkpoints is not None and checkpoints.due()
            interrupted, wanted = processes.add_numbers(interruption.signal, due)
            if interrupted or wanted:
                save()
            if interrupted:
                interruption.exit()
    seconds = time.perf_counter() - started
    weights = state.average.average()
    state.load(weights)
    valid_loss, perplexity = validate(task, training, compute, gradients.pool, processes)
    gradients.close()
    load_weights(whole_model, weights)
    metrics = {
        "updates": progress.update,
        "target_tokens": progress.target_tokens,
        "valid_loss": valid_loss,
        "valid_perplexity": perplexity,
        "best_valid_loss_of_a_checkpoint": progress.best_valid_loss,
        "parameters": sum(parameter.numel() for parameter in whole_model.parameters()),
    }
    return Outcome(weights, metrics, seconds, (progress.target_tokens - tokens_before) / seconds)


def _patience_ended(progress: Progress, training: Training) -> bool:
    return training.patience is not None and progress.validations_since_best >= training.patience


def _diverged(task: Task, update: int, rows: Ints, loss: float, checkpoints: Checkpoints | None) -> StageformerError:
    last = checkpoints.last_path() if checkpoints is not None else None
    return StageformerError(
        f"the training diverged at update {update}: the loss is {loss:.4g} nats a token or its gradient is no number, "
        f"on the sentences {named(task, 'train', rows)}; the last good checkpoint is {last or 'none yet'}; "
        f"{MENDS_OF_DIVERGENCE}"
    )
