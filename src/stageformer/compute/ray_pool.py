"""A pool of Ray's workers: the cluster that ``RAY_ADDRESS`` names, or one of its own on this machine.

Every node needs the same version of this library, and sees the folder of the repository at the same path. A part whose
worker or node dies is computed again by another one. Nothing is reported to anyone (no usage statistics), there is no
dashboard, and what is started here listens on loopback alone.
"""

from __future__ import annotations

import functools
import logging
import os
import pickle
import socket
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from stageformer.compute.pool import Pool
from stageformer.errors import StageformerError, require

Part = TypeVar("Part")
Result = TypeVar("Result")

ADDRESS = "RAY_ADDRESS"
ATTEMPTS = 3
"""How often a part is computed again after its worker has died."""


class Ray(Pool):
    """Workers of a Ray cluster."""

    def __init__(self, workers: int) -> None:
        """Start Ray on this machine, or connect to the cluster that the environment variable ``RAY_ADDRESS`` names.

        Args:
            workers: processes, where Ray is started here; a cluster has as many as it has processors.

        Raises:
            StageformerError: the package ray is not installed, or there is no cluster at that address.
        """
        require("ray")
        address = os.environ.get(ADDRESS)
        if address:
            _check_answers(address)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
        import ray

        self._ray = ray
        here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        try:
            ray.init(
                address=address or "local", log_to_driver=False, logging_level=logging.ERROR,
                **({} if address else here),
            )  # fmt: skip
        except (ConnectionError, OSError, ValueError, RuntimeError) as error:
            where = _no_cluster(address) if address else "Ray did not start"
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise StageformerError(f"{where} ({reason}); compute.engine: local does without") from None
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        self._compute = ray.remote(num_cpus=1, max_retries=ATTEMPTS)(_compute)

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """See :meth:`Pool.map`.

        Raises:
            StageformerError: a part could not be computed although it was tried several times.
        """
        # A list hides the reference from Ray, which would send the function with each part.
        name, held = uuid.uuid4().hex, [self._ray.put(pickle.dumps(function))]
        waiting: deque[Any] = deque()
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
                waiting.append(self._compute.remote(name, held, pickle.dumps(part)))
                if len(waiting) > self.workers:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
            if mistake is not None:
                raise mistake
        finally:
            for reference in waiting:
                self._ray.cancel(reference)

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from None
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StageformerError(
                f"a worker of Ray died, and so did {ATTEMPTS} more that tried the same part ({reason}); most likely, a "
                "node has too little memory"
            ) from None

    def close(self) -> None:
        """See :meth:`Pool.close`. A cluster that was there before goes on."""
        self._ray.shutdown()


def _no_cluster(address: str) -> str:
    return f"{ADDRESS} is {address}, but no Ray cluster answers there"


def _check_answers(address: str) -> None:
    """Raise StageformerError unless something listens at ``HOST:PORT``. Ray itself asks for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise StageformerError(f"{ADDRESS} is {address}; needed HOST:PORT, as `ray start --head` prints it")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise StageformerError(f"{_no_cluster(address)} ({error}); compute.engine: local does without") from None


def _compute(name: str, held: list[Any], part: bytes) -> Any:
    return _function(name, _Held(held[0]))(pickle.loads(part))


class _Held:
    """A reference that does not count when the cache compares arguments: the name alone says which function it is."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


@functools.lru_cache(maxsize=2)
def _function(name: str, held: _Held) -> Callable[[Any], Any]:
    """Return a function in a worker, which unpickles it once."""
    import ray

    for variable in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = "1"
    function: Callable[[Any], Any] = pickle.loads(ray.get(held.reference))
    return function
