"""A training from its task to what it leaves on the disk, as both training stages run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from stageformer.artifacts.files import write_json
from stageformer.compute.processes import joined
from stageformer.console.output import say
from stageformer.params.compute import Compute
from stageformer.params.logging import Logging
from stageformer.params.training import Training
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.curves import curves
from stageformer.training.loop import train
from stageformer.training.tasks.base import Task


def run(
    name: str,
    task: Task | None,
    training: Training,
    compute: Compute,
    logging: Logging,
    device: torch.device,
    *,
    reports: Path,
    checkpoints: Checkpoints,
    save: Callable[[], None],
) -> None:
    """Train, save the model, write ``metrics.json`` and the learning curves, and remove the checkpoints.

    Of several processes, all train, and only the first writes.

    Args:
        name: of the stage
        task: what is trained; None: nothing is, and the metrics say so
        training: how
        compute: on what machine
        logging: who else is told the curves
        device: where to compute
        reports: folder for metrics and curves
        checkpoints: what a killed training resumes from
        save: writes the trained model

    Raises:
        StageformerError: as :func:`~stageformer.training.loop.train`, the disk is full, or checkpoints cannot be
            written, which is found before the first update.
        SystemExit: SIGINT or SIGTERM came; a checkpoint was written.
    """
    metrics: dict[str, float] = {"updates": 0}
    if task is not None:
        checkpoints.check_writable()
    with joined(compute, device) as processes:
        with curves(reports, processes, name, logging, training.model_dump()) as log:
            if task is not None:
                outcome = train(task, training, compute, log, name, processes, checkpoints)
                metrics = outcome.metrics
        if not processes.is_first:
            return
        if task is not None:  # What differs from run to run is printed, and in no output.
            updates = f"{metrics['updates']:,.0f} updates in {outcome.seconds:,.0f} s"
            say(f"{name}: {updates}, {outcome.speed}")
        save()
        write_json(reports / "metrics.json", metrics)
        checkpoints.remove()
