"""Pieces of work that are computed in parallel, with the results in the order of the pieces.

Whoever has many pieces (batches, micro-batches, row groups) asks a :class:`Pool` to map a function over them. Which
engine computes them is the pool's business: this thread (:class:`Serial`), threads (:class:`Threads`), or, with a new
class of the same interface, processes or a cluster. A piece is computed by one worker from the piece alone, and results
come in order, so that neither the engine nor the number of workers changes a bit of the result.

This module imports neither torch nor any other library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


class Pool(ABC):
    """Something that computes pieces of work. Close it after use, or use it in a ``with`` block."""

    workers: int
    """how many pieces are computed at the same time"""

    @abstractmethod
    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield ``function(part)`` for each part, in the order of the parts.

        ``parts`` is read only as it is needed, and about as many results as there are workers wait in memory.
        An exception of ``function`` is raised where its result would have come; what has not begun by then never does.

        Args:
            function: computes one part. It must not depend on which worker calls it, or on the other parts.
            parts: what to compute. Pools of processes must be able to pickle parts, results and the function.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers. The pool can no longer be used."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Serial(Pool):
    """The calling thread alone."""

    workers = 1

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """See :meth:`Pool.map`. Each part is computed when its result is asked for."""
        return map(function, parts)

    def close(self) -> None:
        """See :meth:`Pool.close`. There is nothing to end."""


class Threads(Pool):
    """Threads of this process, for functions that release the interpreter lock, as torch's do."""

    def __init__(self, workers: int, start: Callable[[], None] | None = None) -> None:
        """Make the pool.

        Args:
            workers: number of threads, at least 1
            start: called in each thread before its first part, such as for settings that hold for one thread
        """
        self.workers = workers
        self._executor = ThreadPoolExecutor(workers, initializer=start)

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """See :meth:`Pool.map`. One part more than there are threads is handed out, so that none of them waits."""
        waiting: deque[Future[Result]] = deque()
        try:
            for part in parts:
                waiting.append(self._executor.submit(function, part))
                if len(waiting) > self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """See :meth:`Pool.close`."""
        self._executor.shutdown()
