"""Weights & Biases. ``WANDB_MODE=offline`` keeps the run on this machine; the key comes from ``wandb login`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.training.loggers.base import Logger

NEEDS = ("wandb",)


class WandbLogger(Logger):
    """A run named after the stage; what is kept on this machine is in ``FOLDER/wandb``."""

    def __init__(self, stage: str, folder: Path, project: str, parameters: Mapping[str, Any]) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(project=project, name=stage, dir=str(folder), config=dict(parameters))

    def log(self, update: int, values: Mapping[str, float]) -> None:
        """See :meth:`Logger.log`."""
        self._run.log(dict(values), step=update)

    def close(self) -> None:
        """See :meth:`Logger.close`."""
        self._run.finish()
