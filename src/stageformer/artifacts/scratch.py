"""The folder of the user for what outlives a run and belongs to no repository: checkpoints, and logs of faults."""

from __future__ import annotations

import os
from pathlib import Path


def scratch_folder() -> Path:
    """Return the folder: ``$STAGEFORMER_SCRATCH``, or ``stageformer`` in the user's cache.

    Raises:
        RuntimeError: neither is set, and the user has no home.
    """
    if scratch := os.environ.get("STAGEFORMER_SCRATCH"):
        return Path(scratch)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "stageformer"
