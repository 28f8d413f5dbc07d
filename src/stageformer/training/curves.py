"""Learning curves of a training stage: DVCLive writes them, DVC draws them, and other loggers may be told, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvclive import Live
from scmrepo.exceptions import SCMError

from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.params.logging import Logging
from stageformer.training.loggers.base import logger_class
from stageformer.training.loop import Log


@contextmanager
def curves(
    reports: Path, processes: Processes, stage: str, logging: Logging, parameters: Mapping[str, Any]
) -> Iterator[Log]:
    """Open the curves under ``reports/plots/metrics`` (one TSV per curve) and yield the function that adds to them.

    Of several processes, only the first writes.

    DVCLive's own summary, report and ``dvc.yaml`` are left off: ``dvc.yaml`` of the pipeline declares the curves.

    Args:
        reports: folder of the stage.
        processes: those that train.
        stage: its name.
        logging: the loggers to tell, beside DVCLive.
        parameters: of the training, for these loggers.

    Raises:
        StageformerError: the git repository has no commit, which DVCLive needs.
    """
    if not processes.is_first:
        yield lambda update, values: None
        return
    try:
        live = Live(str(reports), dvcyaml=None, report=None, save_dvc_exp=False, monitor_system=False)
    except SCMError as error:
        raise StageformerError(f"{error}; DVCLive needs a commit: run `git add --all && git commit`") from None
    with live:
        # An untrained encoder logs nothing, but dvc.yaml declares the folder.
        (reports / "plots" / "metrics").mkdir(parents=True, exist_ok=True)
        folder = Path(logging.folder)
        loggers = [logger_class(name)(stage, folder, logging.project, parameters) for name in logging.loggers]

        def log(update: int, values: Mapping[str, float]) -> None:
            live.step = update
            for name, value in values.items():
                live.log_metric(name, value, timestamp=False)
            for logger in loggers:
                logger.log(update, values)

        try:
            yield log
        finally:
            for logger in loggers:
                logger.close()
