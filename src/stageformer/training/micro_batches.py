"""A batch is computed in micro-batches: as much as one thread or GPU does at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from stageformer.batching.batches import plan_batches
from stageformer.batching.sentences import Ints
from stageformer.compute.precision import autocast, random_draws
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.loss import Loss
from stageformer.training.tasks import Task


class MicroBatch(NamedTuple):
    """Some sentences of a batch, and the seed of everything random about them."""

    rows: Ints
    seed: int


def micro_batches(task: Task, training: Training, compute: Compute, update: int, rows: Ints) -> list[MicroBatch]:
    """Cut the batch ``rows`` of an update into micro-batches of sentences of like length.

    Their seeds follow from the seed of the training, the update and their place alone.
    """
    source_lengths, target_lengths = (lengths[rows] for lengths in task.lengths("train"))
    parts = plan_batches(source_lengths, target_lengths, compute.micro_batch_tokens, seed=0, epoch=0)
    # The largest first: threads that have nothing left to do then wait the shortest for the last one.
    parts.sort(key=lambda part: len(part) * int(source_lengths[part].max() + target_lengths[part].max()), reverse=True)
    seeds = np.random.SeedSequence([training.seed, update]).generate_state(len(parts))
    return [MicroBatch(rows[part], int(seed)) for part, seed in zip(parts, seeds, strict=True)]


def training_loss(task: Task, training: Training, compute: Compute, batch: MicroBatch) -> Loss:
    """Return the loss of a micro-batch, with its own random draws, in the precision that ``compute`` asks for."""
    with random_draws(batch.seed, compute), autocast(compute):
        return task.loss("train", batch.rows, training.label_smoothing)


@contextmanager
def out_of_memory_told(task: Task, split: str, rows: Ints) -> Iterator[None]:
    """Turn an allocation that fails into an error that names the sentences.

    Raises:
        StageformerError: there is not enough memory to compute ``rows``.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's has no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        sources, targets = (lengths[rows] for lengths in task.lengths(split))
        raise StageformerError(
            f"out of memory with {len(rows)} sentences of {split} of up to {sources.max()} source and {targets.max()} "
            f"target tokens ({named(task, split, rows)}); lower compute.micro_batch_tokens, or ingest.max_characters "
            "if a single sentence is too long"
        ) from None


def named(task: Task, split: str, rows: Ints) -> str:
    """Return the ids of some sentences, the first few of many."""
    ids = task.splits[split].ids[rows]
    listed = ", ".join(str(number) for number in ids[:8])
    return f"ids {listed}" + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
