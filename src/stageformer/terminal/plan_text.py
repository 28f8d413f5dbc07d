"""What a run will take, for people and for programs."""

from __future__ import annotations

from stageformer.planning.forecast import GPU_OPERATIONS, PARALLEL, Forecast
from stageformer.terminal.json_text import json_text
from stageformer.terminal.text import columns


def plan_text(plan: Forecast) -> str:
    """Return a table of the stages, what they sum up to, and what does not fit."""
    rows = [("stage", "rows", "tokens", "seconds", "of a core", "memory MiB", "disk MiB")]
    for stage in plan.stages:
        rows.append((
            stage.name, f"{stage.rows:,}", f"{stage.tokens:,}" if stage.tokens else "", _seconds(stage.seconds),
            _seconds(stage.processor_seconds), _mebibytes(stage.peak_memory), _mebibytes(stage.disk),
        ))  # fmt: skip
    cores = [stage.processor_seconds for stage in plan.stages]
    known = [value for value in cores if value is not None]
    peaks = [stage.peak_memory for stage in plan.stages if stage.peak_memory is not None]
    rows.append((
        "all", "", "", _seconds(plan.seconds), _seconds(sum(known) if len(known) == len(cores) else None),
        _mebibytes(max(peaks, default=None)), _mebibytes(plan.disk),
    ))  # fmt: skip
    corpus = plan.corpus
    head = f"{corpus.read:,} pairs to read, {sum(corpus.rows.values()):,} of them left: {_time(plan.seconds)}"
    lines = [head, *columns(rows, right=range(1, 7))]
    for name, epochs in plan.epochs.items():
        lines.append(f"{name} sees each pair of train {epochs:,.3g} times")
    if plan.machines.count > 1 or plan.machines.gpus:
        lines.append(f"{', '.join(PARALLEL)} are shared; all other stages run on one machine")
    if plan.machines.gpus:
        lines.append(f"a GPU is assumed to do {GPU_OPERATIONS / 1e12:g} million million operations a second")
    lines.append("DVC's cache takes as much disk again, unless the file system can share blocks (reflink)")
    lines += [f"does not fit: {line}" for line in plan.misfits] or ["all of it fits"]
    return "\n".join(lines)


def plan_json(plan: Forecast) -> str:
    """Return the plan as JSON; memory and disk are in bytes."""
    return json_text({
        "pairs": plan.corpus.read,
        "rows": dict(plan.corpus.rows),
        "machines": plan.machines.count,
        "gpus": plan.machines.gpus,
        "seconds": round(plan.seconds, 1),
        "disk": round(plan.disk),
        "epochs": plan.epochs,
        "misfits": plan.misfits,
        "stages": {
            stage.name: {
                "rows": stage.rows, "tokens": stage.tokens, "seconds": round(stage.seconds, 1),
                "processor_seconds": None if stage.processor_seconds is None else round(stage.processor_seconds, 1),
                "peak_memory": None if stage.peak_memory is None else round(stage.peak_memory),
                "disk": round(stage.disk),
            }
            for stage in plan.stages
        },
    })  # fmt: skip


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _mebibytes(value: float | None) -> str:
    return "?" if value is None else f"{value / 2**20:,.1f}" if value < 10 * 2**20 else f"{value / 2**20:,.0f}"


def _time(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"about {seconds / unit:,.3g} {name}"
    return f"about {seconds:.0f} seconds"
