"""The interface of a logger: something besides DVCLive that is told the learning curves while a model trains.

A logger is one file in this folder, which holds one subclass of :class:`Logger` under the name of the file, an item of
``logging.loggers``. It is in no manifest, and the group ``logging`` in no list of parameters: no output depends on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.params.choices import chosen, implementation


class Logger(ABC):
    """A run of one training stage at a logger.

    Args:
        stage: name of the stage, which the run is named after.
        folder: for what is written on this machine; created.
        project: what the runs belong to.
        parameters: of the training, to be shown beside the curves.
    """

    @abstractmethod
    def __init__(self, stage: str, folder: Path, project: str, parameters: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def log(self, update: int, values: Mapping[str, float]) -> None:
        """Add the values of the curves after that many updates."""

    @abstractmethod
    def close(self) -> None:
        """End the run."""


def logger_class(name: str) -> type[Logger]:
    """Import the logger of that name. Raises StageformerError when there is none."""
    found: type[Logger] = implementation(chosen("stageformer.training.loggers", name), Logger)
    return found
