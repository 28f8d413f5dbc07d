"""What is left of a sweep, for people and for programs."""

from __future__ import annotations

from stageformer.experiments.sweep import Sweep
from stageformer.experiments.sweep_runs import Plan
from stageformer.terminal.json_text import json_text
from stageformer.terminal.text import columns


def plan_text(sweep: Sweep, plan: Plan) -> str:
    """Return how many experiments are left, what each stage does for how many, and how long it will take."""
    done = plan.experiments - plan.missing
    head = (
        f"{sweep.name}: {len(sweep.rows)} rows × {len(sweep.seeds)} seeds = {plan.experiments} experiments; "
        f"{done} are there, {plan.missing} to run"
    )
    if not plan.missing:
        return head
    rows = [("stage", "runs", "shared by", "seconds each")]
    for stage in plan.stages:
        shared = "nothing to run" if not stage.runs else f"{plan.missing / stage.runs:.3g} experiments each"
        rows.append((stage.name, str(stage.runs), shared, "?" if stage.seconds is None else f"{stage.seconds:.0f}"))
    return "\n".join([f"{head}, {_time(plan.seconds)}", *columns(rows, right=(1, 3))])


def plan_json(plan: Plan) -> str:
    """Return the plan as JSON."""
    return json_text({
        "experiments": plan.experiments, "missing": plan.missing, "seconds": plan.seconds,
        "stages": {
            stage.name: {"runs": stage.runs, "seconds_each": stage.seconds} for stage in plan.stages
        },
    })  # fmt: skip


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "for a time that only a first run can tell"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min" if minutes else "less than a minute"
