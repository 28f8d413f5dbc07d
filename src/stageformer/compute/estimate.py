"""How much memory the training stages will need, estimated from the parameters alone, before anything runs.

The estimate counts weights, their gradients, Adam's two means and the checkpoints that are kept, and per thread a
gradient and the activations of a micro-batch. It is within a factor of two of the peak that is measured
(``tests/compute/test_estimate.py``). The vocabulary is taken to be as large as its tokenizers may learn.

This module does not import torch.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stageformer.params.groups import Parameters
from stageformer.params.messages import ParameterError
from stageformer.params.model import stated
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import UNTRAINED, TrainEncoder

_SIZES = ("d_ff", "num_heads", "d_k", "d_v")
NUMBER = 4
"""Bytes of a float32."""
LIBRARIES = 400 * 2**20
"""Bytes that Python and the libraries take."""

_MODEST: Mapping[str, int] = {
    "embed.d_model": 64, "embed.max_length": 512, "tokenize.source.vocabulary_size": 2000,
    "tokenize.target.vocabulary_size": 2000, "model.num_layers": 2, "model.d_ff": 256, "train_encoder.num_layers": 2,
    "train_decoder.num_layers": 2, "train_encoder.decoder_num_layers": 1, "train_encoder.d_ff": 256,
    "train_decoder.d_ff": 256, "compute.threads": 1, "compute.processes": 1, "compute.micro_batch_tokens": 1024,
    "train_encoder.training.batch_tokens": 1024, "train_decoder.training.batch_tokens": 1024,
    "train_encoder.training.average_checkpoints": 1, "train_decoder.training.average_checkpoints": 1,
}  # fmt: skip
"""What memory depends on, with a value that needs little: the parameter to name is the one that this helps most."""


def check_memory(parameters: Parameters) -> None:
    """Refuse what this machine cannot hold. Models on a GPU are left to its own memory.

    Raises:
        ParameterError: twice as much as there is would be needed, by the estimate; it names stage and parameter.
    """
    there = memory_of_this_machine()
    if there is None or parameters.compute.device != "cpu":
        return
    for stage, needed in estimate(parameters).items():
        if needed > 2 * there:
            name = culprit(parameters, stage)
            raise ParameterError(
                f"{name} is {_value(parameters, name):,}: {stage} would need about {_gib(needed)} of memory, and this "
                f"machine has {_gib(there)}; choose a smaller one",
                name,
            )


@dataclass(frozen=True)
class Weights:
    """Numbers of weights of the parts of a model."""

    encoder: float
    shallow: float
    """of the throw-away decoder that trains the encoder"""
    decoder: float
    source: float
    """of the source embedding"""
    target: float
    """of the target embedding, which is that of the source where the vocabulary is shared"""
    positions: float
    """of both tables of positions, which are not trained"""

    @staticmethod
    def of(parameters: Parameters, vocabulary: tuple[int, int] | None = None) -> Weights:
        """Count them.

        Args:
            parameters: of the run.
            vocabulary: entries of the source and of the target; None: as many as the tokenizers may learn.
        """
        source, target = vocabulary or _vocabulary_sizes(parameters)
        width, of_encoder, of_decoder = parameters.embed.d_model, parameters.train_encoder, parameters.train_decoder
        return Weights(
            stated(of_encoder, parameters.model, "num_layers") * _layer(parameters, of_encoder, attentions=1),
            of_encoder.decoder_num_layers * _layer(parameters, of_encoder, attentions=2),
            stated(of_decoder, parameters.model, "num_layers") * _layer(parameters, of_decoder, attentions=2),
            source * width,
            target * width,
            2 * parameters.embed.max_length * width,
        )


def estimate(parameters: Parameters, vocabulary: tuple[int, int] | None = None) -> dict[str, float]:
    """Return the bytes that each training stage needs at its peak, of all its processes together.

    Args:
        parameters: of the run.
        vocabulary: as in :meth:`Weights.of`.
    """
    of_encoder, of_decoder = parameters.train_encoder, parameters.train_decoder
    count = Weights.of(parameters, vocabulary)
    target = int(count.target / parameters.embed.d_model)
    embeddings = count.source + (0 if parameters.vocab.shared else count.target)
    depth = stated(of_encoder, parameters.model, "num_layers")
    decoder_depth = stated(of_decoder, parameters.model, "num_layers")
    found = {}
    weights = count.encoder + count.shallow + embeddings
    if of_encoder.trained_by in UNTRAINED:
        found["train_encoder"] = LIBRARIES + NUMBER * (weights + count.positions)
    else:
        layers = depth + of_encoder.decoder_num_layers
        found["train_encoder"] = _training(parameters, of_encoder, weights + count.positions, weights, layers, target)
    # The model of train_encoder is loaded beside the new one.
    held = 2 * (count.encoder + embeddings + count.positions) + count.shallow + count.decoder + count.target
    together = of_encoder.way == "joint" or of_decoder.finetune_encoder
    trained = count.decoder + count.target + (count.encoder + count.source if together else 0)
    layers = decoder_depth + (depth if together else 0)
    found["train_decoder"] = _training(parameters, of_decoder, held, trained, layers, target)
    return found


def _training(
    parameters: Parameters, stage: TrainEncoder | TrainDecoder, held: float, trained: float, layers: int,
    vocabulary: int,
) -> float:
    """Return the bytes of a training: ``held`` and ``trained`` are numbers of weights."""
    compute, width, training = parameters.compute, parameters.embed.d_model, stage.training
    d_ff = stated(stage, parameters.model, "d_ff")
    piece = min(compute.micro_batch_tokens, training.batch_tokens)
    workers = min(compute.threads, math.ceil(training.batch_tokens / piece / compute.processes))
    kept = training.average_checkpoints if training.keep.startswith("average") else 1
    kept = min(kept, max(1, training.max_updates // training.validate_every))
    activations: float = piece * (layers * layer_activations(width, d_ff) + 6 * width) + 128 * vocabulary
    sharing = compute.processes if compute.sharded else 1
    whole: float = held + trained * (3 + kept + workers) / sharing + workers * activations
    return compute.processes * (LIBRARIES + NUMBER * whole)


def layer_activations(width: int, d_ff: int) -> int:
    """Return how many numbers a layer keeps of each token for the backward pass."""
    return 12 * width + 3 * d_ff


def _layer(parameters: Parameters, stage: TrainEncoder | TrainDecoder, attentions: int) -> float:
    """Return the number of weights of a layer."""
    width = parameters.embed.d_model
    feed_forward, heads, d_k, d_v = (stated(stage, parameters.model, name) for name in _SIZES)
    query, value = (heads * one if one else width for one in (d_k, d_v))
    attention = 2 * width * (query + value) + 2 * query + value + 3 * width
    size: float = attentions * attention + 2 * width * feed_forward + feed_forward + 3 * width
    return size


def _vocabulary_sizes(parameters: Parameters) -> tuple[int, int]:
    tokenize, largest = parameters.tokenize, parameters.vocab.max_size or math.inf
    sides = tokenize.source, tokenize.target or tokenize.source
    sizes = [getattr(side, "vocabulary_size", None) or 0 for side in sides]
    source, target = (int(min(size, largest)) for size in sizes)
    return source, target


def _value(parameters: Parameters, name: str) -> int:
    found: object = parameters
    for step in name.split("."):
        found = getattr(found, step, None)
    return found if type(found) is int else 0


def culprit(parameters: Parameters, stage: str) -> str:
    """Return the parameter of which a modest value would save the most."""

    def with_modest(name: str) -> float:
        values = parameters.model_dump()
        *groups, leaf = name.split(".")
        place = values
        for group in groups:
            place = place[group] or {}
        if _value(parameters, name) <= _MODEST[name]:
            return math.inf
        place[leaf] = _MODEST[name]
        return estimate(_Plain(values))[stage]  # type: ignore[arg-type]

    return min(_MODEST, key=with_modest)


class _Plain:
    """Groups of values as attributes: parameters that need not fit together."""

    def __init__(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            setattr(self, name, _Plain(value) if isinstance(value, dict) else value)

    @property
    def trained_by(self) -> object:
        """As that of the group ``train_encoder``."""
        return vars(self)["objective"] if vars(self)["way"] == "staged" else "none"


def memory_of_this_machine() -> int | None:
    """Return the bytes of memory that this process may use: of the machine, or of its container; None: unknown."""
    limits = []
    with contextlib.suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(ValueError, OSError):
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits, default=None)


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"
