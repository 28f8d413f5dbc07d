"""TensorBoard: files of events, which ``tensorboard --logdir logs/tensorboard`` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from stageformer.training.loggers.base import Logger

NEEDS = ("tensorboard",)


class TensorBoardLogger(Logger):
    """Writes one folder for each run: ``FOLDER/tensorboard/STAGE/TIME``."""

    def __init__(self, stage: str, folder: Path, project: str, parameters: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        self._writer: Any = SummaryWriter(str(folder / "tensorboard" / stage / name))
        self._writer.add_text("parameters", f"```\n{json.dumps(parameters, indent=2)}\n```")

    def log(self, update: int, values: Mapping[str, float]) -> None:
        """See :meth:`Logger.log`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, update)

    def close(self) -> None:
        """See :meth:`Logger.close`."""
        self._writer.close()
