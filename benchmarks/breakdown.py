"""Where the time of an update goes, by torch's profiler."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile

from stageformer.batching.sentences import Ints

PARTS = (
    "matrix products",
    "attention",
    "loss",
    "dropout and random numbers",
    "layer norm",
    "element-wise and copies",
    "gradient and optimizer",
    "other",
)
"""Matrix products: all but those inside attention, the output projection among them. Attention: products of queries,
keys and values, and their softmax. Loss: whatever else is done on tensors as wide as the vocabulary. Other: Python, the
profiler itself, and threads that wait."""

_PRODUCTS = ("aten::mm", "aten::addmm", "aten::addmm_", "aten::linear")


def breakdown(update: Callable[[Ints], Any], batches: Sequence[Ints], vocabulary_size: int) -> dict[str, float]:
    """Return the seconds of an update that each of ``PARTS`` takes, on the average of some batches.

    Time of threads that work side by side is divided by their number, so that the parts add up to the update.
    """
    every_thread = _ExperimentalConfig(profile_all_threads=True)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, experimental_config=every_thread) as profiler:
        started = time.perf_counter()
        for rows in batches:
            update(rows)
        seconds = time.perf_counter() - started
    threads = len({event.thread for event in profiler.events() if event.name in _PRODUCTS}) or 1
    parts = dict.fromkeys(PARTS, 0.0)
    for event in profiler.key_averages(group_by_input_shape=True):
        part = part_of(event.key, event.input_shapes, vocabulary_size)
        parts[part] += event.self_cpu_time_total / 1e6 / threads
    parts["other"] = 0.0
    parts["other"] = seconds - sum(parts.values())
    return {name: value / len(batches) for name, value in parts.items()}


def part_of(name: str, shapes: Sequence[Any], vocabulary_size: int) -> str:
    """Return the part that an operation belongs to, by its name in the profile and the shapes of its arguments."""
    if name in _PRODUCTS:
        return "matrix products"
    if any(word in name for word in ("dropout", "bernoulli", "random_")):
        return "dropout and random numbers"
    if "layer_norm" in name:
        return "layer norm"
    if any(word in name for word in ("adam", "foreach", "vector_norm", "clip_grad", "Optimizer")):
        return "gradient and optimizer"
    if any(shape and shape[-1] == vocabulary_size for shape in shapes):
        return "loss"
    if any(word in name for word in ("scaled_dot_product", "bmm", "softmax")):
        return "attention"
    return "element-wise and copies" if name.startswith("aten::") else "other"
