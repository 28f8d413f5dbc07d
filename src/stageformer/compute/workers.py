"""Threads that compute side by side, each a piece of work of its own.

Two threads that share every small matrix product wait for each other at each of them. Two threads with a micro-batch
each never do, and since a piece of work is computed by one thread however many there are, their number does not change
a bit of the result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from stageformer.params.compute import Compute

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """As many threads as ``compute`` allows and the work can feed."""

    def __init__(self, compute: Compute, pieces: int) -> None:
        """Share ``compute.threads`` out among at most ``pieces`` workers.

        More threads than pieces make each worker use several for its matrix products.
        """
        # A GPU is one worker, and compiled code is not safe to be made by several threads.
        alone = compute.device != "cpu" or compute.compile
        self.count = 1 if alone else max(1, min(compute.threads, pieces))
        self._threads_each = compute.threads // self.count
        torch.set_num_threads(self._threads_each)
        # A single worker is the caller itself.
        self._pool = ThreadPoolExecutor(self.count, initializer=self._start) if self.count > 1 else None

    def _start(self) -> None:
        torch.set_num_threads(self._threads_each)  # holds for the calling thread

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results in the order of the items, with few of them in memory at a time."""
        if self._pool is None:
            yield from map(function, items)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(self._pool.submit(function, item))
                if len(waiting) > self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
