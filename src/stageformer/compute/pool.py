"""Pieces of work that are computed in parallel, with the results in the order of the pieces.

Whoever has many pieces (batches, micro-batches, row groups) asks a :class:`Pool` to map a function over them. Which
engine computes them is the pool's business: this thread (:class:`Serial`), threads (:class:`Threads`), processes
(:class:`WorkerProcesses`), or a cluster (``ray_pool.py``). A piece is computed by one worker from the
piece alone, and results come in order, so that neither the engine nor the number of workers changes a bit of the
result.

This module imports neither torch nor any library of others.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Self, TypeVar

from stageformer.errors import StageformerError

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
        An exception of ``parts`` is raised after the results of the parts before it, so that of several mistakes the
        first is reported, whoever computes.

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


SERIAL = Serial()


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
        """See :meth:`Pool.map`."""
        return _in_order(lambda part: self._executor.submit(function, part), parts, self.workers)

    def close(self) -> None:
        """See :meth:`Pool.close`."""
        self._executor.shutdown()


class WorkerProcesses(Pool):
    """Processes of this machine, for functions that hold the interpreter lock.

    They are started once there has been a second of work: until then, the calling process computes, which is quicker
    for a small corpus. The function is given to each worker once, so it may hold much. A worker ends when its parent
    does, however that ends.
    """

    def __init__(self, workers: int, patience: float = 1.0) -> None:
        """Make the pool.

        Args:
            workers: number of processes, at least 1; with 1, the calling process does everything.
            patience: seconds of work that the calling process does before the workers are started, in time of the
                processor: a busy machine is no reason to start them sooner.
        """
        self.workers = workers
        self._patience = patience
        self._spent = 0.0
        self._executor: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._functions = 0

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """See :meth:`Pool.map`.

        Raises:
            StageformerError: a worker died, killed by the system or by someone.
        """
        left = iter(parts)
        while self.workers == 1 or self._spent < self._patience:
            try:
                part = next(left)
            except StopIteration:
                return
            began = time.process_time()
            result = function(part)
            self._spent += time.process_time() - began
            yield result
        executor, path = self._started(), self._written(function)

        def submit(part: Part) -> Future[Result]:
            with _uninterrupted():
                return executor.submit(_compute, path, part)

        try:
            yield from _in_order(submit, left, self.workers)
        except BrokenProcessPool:
            raise StageformerError(
                "a worker process died, most likely because memory ran out; lower compute.threads (1: no workers), or "
                "free memory"
            ) from None

    def close(self) -> None:
        """See :meth:`Pool.close`. What a worker is computing at the moment is computed to its end."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def _started(self) -> ProcessPoolExecutor:
        """Return what starts the workers, one with each of the first parts.

        They are new interpreters (spawn), since a fork copies the locks of threads that do not run in it.
        """
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.workers, context, initializer=_begin)
        return self._executor

    def _written(self, function: Callable[..., Any]) -> str:
        """Write a function where the workers find it, and return the path."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="stageformer-")  # of this user alone
        self._functions += 1
        path = Path(self._folder.name) / f"{self._functions}.pickle"
        with path.open("wb") as file:
            pickle.dump(function, file)
        return str(path)


def _in_order(submit: Callable[[Part], Future[Result]], parts: Iterable[Part], workers: int) -> Iterator[Result]:
    """Yield the results. One part more than there are workers is handed out, so that none of them waits."""
    waiting: deque[Future[Result]] = deque()
    left, mistake = iter(parts), None
    try:
        while True:
            try:
                part = next(left)
            except StopIteration:
                break
            except Exception as error:
                mistake = error
                break
            waiting.append(submit(part))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if mistake is not None:
            raise mistake
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let processes that start in this block leave Ctrl-C, which reaches every process of a terminal, to their parent.

    They inherit the mask of signals. What comes in the meantime reaches this process afterwards.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # its start, otherwise together with the first worker, takes the mask away
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Prepare a worker: one thread in libraries that would start one a core, and no life after its parent."""
    for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _compute(path: str, part: Any) -> Any:
    return _function(path)(part)


@functools.lru_cache(maxsize=2)
def _function(path: str) -> Callable[[Any], Any]:
    """Return what the parent process has written for this one."""
    with open(path, "rb") as file:
        function: Callable[[Any], Any] = pickle.load(file)
    return function
