"""MLflow. ``MLFLOW_TRACKING_URI`` names a server; without it, the runs are files in ``FOLDER/mlflow``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stageformer.training.loggers.base import Logger

NEEDS = ("mlflow",)


class MlflowLogger(Logger):
    """A run named after the stage, in the experiment that ``logging.project`` names."""

    def __init__(self, stage: str, folder: Path, project: str, parameters: Mapping[str, Any]) -> None:
        from mlflow.tracking import MlflowClient

        # Its newer releases ask for a database unless files are asked for.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        address = os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlflow").resolve().as_uri()
        self._client: Any = MlflowClient(tracking_uri=address)
        known = self._client.get_experiment_by_name(project)
        experiment = known.experiment_id if known else self._client.create_experiment(project)
        self._run: str = self._client.create_run(experiment, run_name=stage).info.run_id
        for name, value in parameters.items():
            self._client.log_param(self._run, name, value)

    def log(self, update: int, values: Mapping[str, float]) -> None:
        """See :meth:`Logger.log`."""
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=update)

    def close(self) -> None:
        """See :meth:`Logger.close`."""
        self._client.set_terminated(self._run)
