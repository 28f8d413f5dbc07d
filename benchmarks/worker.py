"""One system measured in a process of its own, so that threads, allocator and peak memory are its own, too.

``python -m benchmarks.worker JOB``, with a :class:`~benchmarks.jobs.Job` as JSON, prints what :func:`run` returns. The
benchmarks start it; nobody else needs to.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.breakdown import breakdown
from benchmarks.configurations import CONFIGURATIONS, THROW_AWAY_LAYERS, Configuration, parameters
from benchmarks.corpus import Corpus, load
from benchmarks.flop import training_flop_of_target_token
from benchmarks.jobs import Job
from benchmarks.machine import describe, matrix_limit
from benchmarks.marian import Marian
from benchmarks.ours import Ours
from benchmarks.plain import PlainTransformer, training_loop
from stageformer.batching.sentences import Ints
from stageformer.compute.device import keep_freed_memory

WARM_UP = 3
"""Updates before the clock starts: the allocator has its blocks by then, and the optimizer its state."""


class System(NamedTuple):
    """A model, the function that trains it on the sentences of one batch, and its size."""

    model: nn.Module
    update: Callable[[Ints], Any]
    encoder: Configuration | None
    """what is trained of an encoder"""
    decoder: Configuration


def stageformer(job: Job, corpus: Corpus) -> System:
    """Make the joint training of encoder and decoder."""
    ours, shape = make_ours(job, corpus), CONFIGURATIONS[job.configuration]
    task, training = ours.joint()
    return System(task.model, ours.updates(task, training), shape, shape)


def encoder_stage(job: Job, corpus: Corpus) -> System:
    """Make the training of the encoder with its throw-away decoder."""
    ours, shape = make_ours(job, corpus), CONFIGURATIONS[job.configuration]
    task, training = ours.encoder_stage()
    return System(task.model, ours.updates(task, training), shape, replace(shape, num_layers=THROW_AWAY_LAYERS))


def decoder(job: Job, corpus: Corpus) -> System:
    """Make the training of a decoder on the memory that the system ``encode`` left."""
    ours = make_ours(job, corpus)
    task, training = ours.decoder_on_memory()
    return System(task.model, ours.updates(task, training), None, CONFIGURATIONS[job.configuration])


def plain(job: Job, corpus: Corpus) -> System:
    """Make the plain loop, with the allocator as glibc sets it."""
    shape = CONFIGURATIONS[job.configuration]
    model = PlainTransformer(shape, len(corpus.vocabularies.target))
    return System(model, training_loop(model, corpus.splits["train"], job.precision), shape, shape)


def plain_malloc(job: Job, corpus: Corpus) -> System:
    """Make the plain loop with Stageformer's settings of the allocator."""
    keep_freed_memory()
    return plain(job, corpus)


def marian(job: Job, corpus: Corpus) -> System:
    """Make the plain loop around Hugging Face's model."""
    shape, vocabulary = CONFIGURATIONS[job.configuration], corpus.vocabularies.target
    model = Marian(shape, len(vocabulary), vocabulary.eos_id)
    return System(model, training_loop(model, corpus.splits["train"], job.precision), shape, shape)


SYSTEMS: dict[str, Callable[[Job, Corpus], System]] = {
    "stageformer": stageformer,
    "plain": plain,
    "plain-malloc": plain_malloc,
    "marian": marian,
    "encoder-stage": encoder_stage,
    "decoder": decoder,
}


def make_ours(job: Job, corpus: Corpus) -> Ours:
    """Return Stageformer with the parameters of the job."""
    changes = {f"{stage}.training.batch_tokens": job.batch_tokens for stage in ("train_encoder", "train_decoder")}
    compute = {"compute.threads": job.threads, "compute.precision": job.precision}
    params = parameters(CONFIGURATIONS[job.configuration], {**changes, **compute, **job.changes})
    return Ours(params, corpus, Path(job.data) / "memory" / job.configuration)


def run(job: Job) -> dict[str, Any]:
    """Do a job and return its figures."""
    torch.set_num_threads(job.threads)
    torch.manual_seed(1)
    if job.system == "machine":
        return {"machine": describe(), "gflop_per_second": matrix_limit(job.precision)}
    corpus = load(Path(job.data))
    if job.system == "encode":
        ours = make_ours(job, corpus)
        started = time.perf_counter()
        ours.encode()
        return {"seconds": time.perf_counter() - started}
    return train(job, corpus)


def train(job: Job, corpus: Corpus) -> dict[str, Any]:
    """Train on the batches of a job, after a warm-up on the first ones of the corpus."""
    system = SYSTEMS[job.system](job, corpus)
    source_lengths, target_lengths = corpus.lengths
    vocabulary_size = len(corpus.vocabularies.target)
    for rows in itertools.islice(corpus.batches(job.batch_tokens), WARM_UP):
        system.update(rows)
    batches = list(itertools.islice(corpus.batches(job.batch_tokens), job.first, job.first + job.updates))
    if job.profile:
        return {"parts": breakdown(system.update, batches, vocabulary_size)}
    positions = count_positions(system.model, vocabulary_size)
    started = time.perf_counter()
    for rows in batches:
        system.update(rows)
    seconds = time.perf_counter() - started
    source_tokens, target_tokens = (
        int(sum(lengths[rows].sum() for rows in batches)) for lengths in (source_lengths, target_lengths)
    )
    read = target_tokens if system.encoder is None else source_tokens + target_tokens
    return {
        "seconds": seconds,
        "target_tokens": target_tokens,
        "target_tokens_per_second": target_tokens / seconds,
        "padding": 1 - read / sum(positions),
        "parameters": sum(p.numel() for p in system.model.parameters() if p.requires_grad),
        "flop_of_target_token": training_flop_of_target_token(
            system.encoder, system.decoder, vocabulary_size, source_lengths, target_lengths
        ),
    }


def count_positions(model: nn.Module, vocabulary_size: int) -> list[int]:
    """Return a list to which, from now on, each look-up of tokens in the model adds how many there were."""
    positions: list[int] = []

    def count(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(inputs[0], Tensor) and not inputs[0].is_floating_point():
            positions.append(inputs[0].numel())

    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.size(0) == vocabulary_size:
            module.register_forward_pre_hook(count)
    return positions


if __name__ == "__main__":
    print(json.dumps(run(Job(**json.loads(sys.argv[1])))))
