"""The stages as the page shows them: the picture, and a table of what each took and left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stageformer.report.formats import duration, size
from stageformer.report.graph import graph
from stageformer.report.pipeline import Stage

UNKNOWN = "–"


@dataclass(frozen=True)
class Row:
    """One stage; each tuple holds a cell for every experiment."""

    name: str
    description: str
    seconds: tuple[str, ...]
    shares: tuple[float, ...]
    """length of the bar below each time, in percent of the longest"""
    memory: tuple[str, ...]
    size: tuple[str, ...]
    change: str
    """whether its outputs are the same in both experiments; "" if there is one"""
    is_changed: bool


@dataclass(frozen=True)
class Overview:
    """The section on the pipeline."""

    lead: str
    svg: str
    stages: list[Row]
    seconds: tuple[str, ...]
    memory: tuple[str, ...]
    size: tuple[str, ...]
    notes: list[str]


def overview(runs: Sequence[Sequence[Stage]]) -> Overview:
    """Lay out the stages of one experiment or of two; the second decides what is drawn."""
    names = [stage.name for stage in runs[-1]]
    by_name = [{stage.name: stage for stage in stages} for stages in runs]
    longest = max((stage.seconds or 0.0 for stages in runs for stage in stages), default=0.0)
    rows = []
    for name in names:
        found = [stages.get(name) for stages in by_name]
        change = _change(found)
        rows.append(
            Row(
                name=name,
                description=by_name[-1][name].description,
                seconds=_cells(found, lambda stage: stage.seconds, duration),
                shares=tuple(_share(stage, longest) for stage in found),
                memory=_cells(found, lambda stage: stage.peak_memory_mib, lambda mib: size(mib * 2**20)),
                size=_cells(found, lambda stage: stage.size, size),
                change=change,
                is_changed=change == "output differs",
            )
        )
    notes = {row.name: row.change or _note(row) for row in rows}
    changed = frozenset(row.name for row in rows if row.is_changed)
    together = [_together(stages) for stages in runs]
    return Overview(
        lead=_lead(names, rows, len(runs)),
        svg=graph(runs[-1], notes, changed),
        stages=rows,
        seconds=tuple(sum_of[0] for sum_of in together),
        memory=tuple(sum_of[1] for sum_of in together),
        size=tuple(sum_of[2] for sum_of in together),
        notes=_missing(runs),
    )


def _cells(
    stages: Sequence[Stage | None], value_of: Callable[[Stage], float | None], show: Callable[[float], str]
) -> tuple[str, ...]:
    values = [value_of(stage) if stage else None for stage in stages]
    return tuple(UNKNOWN if value is None else show(value) for value in values)


def _share(stage: Stage | None, longest: float) -> float:
    return round(100 * stage.seconds / longest, 2) if stage and stage.seconds and longest else 0.0


def _note(row: Row) -> str:
    return "  ·  ".join(text for text in (row.seconds[0], row.size[0]) if text != UNKNOWN)


def _change(stages: Sequence[Stage | None]) -> str:
    if len(stages) == 1:
        return ""
    one, other = stages
    if one is None or other is None:
        return "in one only"
    if not one.hashes or not other.hashes:
        return "not run"
    return "same output" if one.hashes == other.hashes else "output differs"


def _lead(names: Sequence[str], rows: Sequence[Row], num_runs: int) -> str:
    lead = f"{len(names)} stages; an arrow leads from what is made to what reads it."
    if num_runs == 2:
        same = [row.name for row in rows if row.change == "same output"]
        lead += f" The outputs of {len(same)} of them are the same in both experiments, byte for byte."
    return lead


def _together(stages: Sequence[Stage]) -> tuple[str, str, str]:
    seconds = [stage.seconds for stage in stages if stage.seconds is not None]
    memory = [stage.peak_memory_mib for stage in stages if stage.peak_memory_mib is not None]
    sizes = [stage.size for stage in stages if stage.size is not None]
    return (
        duration(sum(seconds)) if seconds else UNKNOWN,
        f"≤ {size(max(memory) * 2**20)}" if memory else UNKNOWN,
        size(sum(sizes)) if sizes else UNKNOWN,
    )


def _missing(runs: Sequence[Sequence[Stage]]) -> list[str]:
    if any(stage.seconds is None for stages in runs for stage in stages):
        return ["A dash stands where a stage has left no cost.json."]
    return []
