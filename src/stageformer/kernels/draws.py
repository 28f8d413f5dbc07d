"""The random numbers of dropout, for the reference and the kernel alike: both then drop the same elements.

Threads that compute side by side would share torch's own generator, and which of them draws first would change the
result from run to run. Each piece of work therefore brings its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class _Current(threading.local):
    generator: torch.Generator | None = None


_current = _Current()


def current_generator() -> torch.Generator | None:
    """Return the CPU generator that this thread draws from; None is torch's own."""
    return _current.generator


@contextmanager
def draw_from(generator: torch.Generator) -> Iterator[None]:
    """Let this thread draw from ``generator`` inside the block."""
    previous, _current.generator = _current.generator, generator
    try:
        yield
    finally:
        _current.generator = previous


def has_own_draws(x: Tensor) -> bool:
    """Return whether dropout of ``x`` draws from :func:`current_generator`: on the CPU, unless compiled."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def draw_kept(x: Tensor, rate: float) -> tuple[Tensor, float]:
    """Draw which elements dropout keeps.

    On the CPU, torch draws the random numbers of its own dropout one by one on a single thread, which costs a fifth of
    the training time of a small model. Here one draw of 64 bits serves four elements, 16 bits each: the rate is exact
    to 1 / 65536.

    Args:
        x: of any shape
        rate: probability that an element is dropped, from 0 to below 1

    Returns:
        A boolean tensor of the shape of ``x``, True where the element is kept, and the probability of that.
    """
    if not has_own_draws(x):
        return torch.rand_like(x, dtype=torch.float32) >= rate, 1 - rate
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
    draws.random_(-(2**63), None, generator=current_generator())
    dropped_levels = round(rate * 65_536)
    kept: Tensor = draws.view(torch.int16)[: x.numel()].view(x.shape) >= dropped_levels - 32_768
    return kept, (65_536 - dropped_levels) / 65_536
