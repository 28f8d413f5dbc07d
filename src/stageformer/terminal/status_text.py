"""What would run again, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from stageformer.console.output import clean
from stageformer.experiments.status import Reason, StageStatus, Status

LIMIT = 6
"""Reasons of one kind that are named for a stage."""


def status_text(status: Status) -> str:
    """Return the stages that would run with their reasons, and the parameters that differ from the last commit."""
    running = [stage for stage in status.stages if stage.would_run]
    width = max((len(stage.name) for stage in running), default=0)
    lines = []
    for stage in running:
        for number, why in enumerate(_why(stage)):
            lines.append(f"{stage.name if number == 0 else '':{width}}  {clean(why)}")
    if running:
        lines += [
            "",
            f"`dvc repro` would run {len(running)} of {len(status.stages)} stages, at most. A stage whose inputs come",
            "out the same is skipped; one that ran with the same inputs before is restored from DVC's cache.",
        ]
        if any(reason.kind == "output" for stage in running for reason in stage.reasons):
            lines.append("`dvc checkout` brings back what is missing, if the cache has it.")
    else:
        lines.append(f"All {len(status.stages)} stages are up to date.")
    if status.since_head:
        lines += ["", "Parameters that differ from the last commit (HEAD):"]
        lines += [f"  {clean(str(difference))}" for difference in status.since_head]
    return "\n".join(lines)


def _why(stage: StageStatus) -> Iterator[str]:
    for _, group in groupby(stage.reasons, key=lambda reason: reason.kind):
        reasons = list(group)
        yield from map(_sentence, reasons[:LIMIT])
        if len(reasons) > LIMIT:
            yield f"... and {len(reasons) - LIMIT} more like these"
    if stage.after and not any(reason.kind == "never run" for reason in stage.reasons):
        yield f"after {', '.join(stage.after)}"


def _sentence(reason: Reason) -> str:
    if reason.kind == "parameter":
        return f"{reason.name}: {reason.change}"
    return f"{reason.name} {reason.change}".strip()
