"""Where the random numbers of dropout come from: a generator of the thread that computes.

Threads that compute side by side would share torch's own generator, and which of them draws first would change the
result from run to run. Each piece of work therefore brings its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
