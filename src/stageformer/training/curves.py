"""Learning curves of a training stage: DVCLive writes them, DVC draws and compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dvclive import Live
from scmrepo.exceptions import SCMError

from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.training.loop import Log


@contextmanager
def curves(reports: Path, processes: Processes) -> Iterator[Log]:
    """Open the curves under ``reports/plots/metrics`` (one TSV per curve) and yield the function that adds to them.

    Of several processes, only the first writes.

    DVCLive's own summary, report and ``dvc.yaml`` are left off: ``dvc.yaml`` of the pipeline declares the curves.

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

        def log(update: int, values: Mapping[str, float]) -> None:
            live.step = update
            for name, value in values.items():
                live.log_metric(name, value, timestamp=False)

        yield log
