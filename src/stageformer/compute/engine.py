"""Which pool computes the parts of ``ingest``, ``tokenize`` and ``vocab``."""

from __future__ import annotations

from stageformer.compute.pool import Pool, WorkerProcesses


def worker_pool(engine: str, workers: int) -> Pool:
    """Return the pool that ``compute.engine`` asks for.

    Args:
        engine: as ``compute.engine``.
        workers: as ``compute.threads``.

    Raises:
        StageformerError: Ray cannot be had.
    """
    if engine == "ray":
        from stageformer.compute.ray_pool import Ray  # the package is optional

        return Ray(workers)
    return WorkerProcesses(workers)
