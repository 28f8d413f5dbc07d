"""The one loop of every training stage."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from stageformer.batches import plan_batches
from stageformer.errors import StageformerError
from stageformer.pairs import Ints
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.averaging import CheckpointAverage
from stageformer.training.schedule import learning_rate
from stageformer.training.tasks import Task

LARGEST_LOSS = 700.0
"""Nats a token; the perplexity of a larger loss is beyond double precision."""

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


def train(task: Task, training: Training, compute: Compute, log: Log, title: str) -> Outcome:
    """Train ``task.model`` as ``training`` says, and leave the averaged weights in it.

    An update is ``accumulate`` batches, whose summed loss is divided by their number of target tokens. Every
    ``validate_every`` updates, and at the end, the model is validated, logged and kept for the average.

    Raises:
        StageformerError: there is nothing to train or to validate on, or the training diverged.
    """
    for split in ("train", "valid"):
        if not len(task.lengths(split)[0]):
            raise StageformerError(f"{title}: found no sentences in the split {split!r}; change the split of ingest")
    model = task.model
    model.train()
    optimizer = make_optimizer(model, training)
    average = CheckpointAverage(training.average_checkpoints)
    batches = endless_batches(task, training)
    best_loss, validations_since_best = math.inf, 0
    train_loss, train_tokens, all_tokens = 0.0, 0, 0
    started = time.perf_counter()
    with tqdm(total=training.max_updates, desc=title, unit="update", disable=None, mininterval=1.0) as bar:
        for update in range(1, training.max_updates + 1):
            group = [next(batches) for _ in range(training.accumulate)]
            rate = learning_rate(update, training)
            for options in optimizer.param_groups:
                options["lr"] = rate
            loss, tokens = backward(task, group, training, compute)
            mean_loss = _mean(loss, tokens)
            if training.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            train_loss, train_tokens, all_tokens = train_loss + loss, train_tokens + tokens, all_tokens + tokens
            bar.update()
            if update % 10 == 0:
                speed = all_tokens / (time.perf_counter() - started)
                bar.set_postfix_str(f"loss {mean_loss:.3f}, {speed:,.0f} target tokens/s")
            if update % training.validate_every == 0 or update == training.max_updates:
                average.add(model)
                valid_loss, perplexity = validate(task, training, compute)
                log(update, {
                    "train_loss": train_loss / train_tokens,
                    "valid_loss": valid_loss,
                    "valid_perplexity": perplexity,
                    "learning_rate": rate,
                })
                train_loss, train_tokens = 0.0, 0
                validations_since_best = 0 if valid_loss < best_loss else validations_since_best + 1
                best_loss = min(best_loss, valid_loss)
                if training.patience is not None and validations_since_best >= training.patience:
                    reason = f"no better loss in {training.patience} validations"
                    bar.write(f"{title}: stopped at update {update}: {reason}", file=sys.stderr)
                    break
    seconds = time.perf_counter() - started
    weights = average.average()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    valid_loss, perplexity = validate(task, training, compute)
    metrics = {
        "updates": update,
        "target_tokens": all_tokens,
        "valid_loss": valid_loss,
        "valid_perplexity": perplexity,
        "best_valid_loss_of_a_checkpoint": best_loss,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return Outcome(weights, metrics, seconds, all_tokens / seconds)


def endless_batches(task: Task, training: Training) -> Iterator[Ints]:
    """Yield the batches of one epoch after another, each in its own order."""
    source_lengths, target_lengths = task.lengths("train")
    epoch = 0
    while True:
        yield from plan_batches(source_lengths, target_lengths, training.batch_tokens, seed=training.seed, epoch=epoch)
        epoch += 1


def backward(task: Task, group: list[Ints], training: Training, compute: Compute) -> tuple[float, int]:
    """Add the gradient of the mean loss of some batches; returns the summed loss and the number of target tokens."""
    losses = []
    for rows in group:
        with autocast(compute):
            losses.append(task.loss("train", rows, training.label_smoothing))
        losses[-1].smoothed.backward()  # type: ignore[no-untyped-call]
    tokens = sum(loss.num_tokens for loss in losses)
    for parameter in task.model.parameters():
        if parameter.grad is not None:
            parameter.grad.div_(tokens)
    return sum(float(loss.smoothed.detach()) for loss in losses), tokens


@torch.no_grad()
def validate(task: Task, training: Training, compute: Compute) -> tuple[float, float]:
    """Return the mean smoothed loss and the perplexity on the split ``valid``."""
    task.model.eval()
    source_lengths, target_lengths = task.lengths("valid")
    smoothed, log_likelihood, tokens = 0.0, 0.0, 0
    for rows in plan_batches(source_lengths, target_lengths, training.batch_tokens, seed=0, epoch=0):
        with autocast(compute):
            loss = task.loss("valid", rows, training.label_smoothing)
        smoothed += float(loss.smoothed)
        log_likelihood += float(loss.log_likelihood)
        tokens += loss.num_tokens
    task.model.train()
    return _mean(smoothed, tokens), math.exp(_mean(log_likelihood, tokens))


def _mean(loss: float, tokens: int) -> float:
    mean = loss / tokens
    if not mean <= LARGEST_LOSS:  # nan included
        raise StageformerError(
            f"the training diverged: the loss is {mean:.4g} nats a token; lower training.learning_rate "
            "or training.clip_norm, or raise training.warmup_updates"
        )
    return mean


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Make Adam (Kingma & Ba 2015; section 5.3 of the paper) with decoupled weight decay on matrices alone."""
    matrices = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.dim() <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        eps=training.adam_epsilon,
        fused=True,
    )


def autocast(compute: Compute) -> torch.autocast:
    """Return the context in which products are computed in the precision that ``compute`` asks for."""
    return torch.autocast(compute.device, dtype=torch.bfloat16, enabled=compute.precision == "bf16")
