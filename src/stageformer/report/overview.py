"""The overview of the report: the pipeline as a graph, and a table of its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stageformer.report.charts import Element, drawing, element
from stageformer.report.formats import both_or_all, duration, size
from stageformer.report.pipeline import Stage

WIDTH = 190.0
HEIGHT = 48.0
GAP = 26.0
LANE = 15.0
MARGIN = 8.0
CORNER = 7.0


def graph(stages: Sequence[Stage], notes: Mapping[str, str], marked: frozenset[str] = frozenset()) -> str:
    """Draw the stages.

    A stage that reads the one above it hangs on a straight arrow. Every other edge runs in the lane of the stage that
    is read; stages that start further up have lanes further out, so that lines cross as little as they can.

    Args:
        stages: each behind those that it needs.
        notes: the second line in the box of a stage, by its name.
        marked: stages whose box has a heavy frame.

    Returns:
        The SVG element as text.
    """
    rows = {stage.name: row for row, stage in enumerate(stages)}
    readers = {
        stage.name: [other.name for other in stages if stage.name in other.needs and rows[other.name] > row + 1]
        for row, stage in enumerate(stages)
    }
    lanes = _lanes({name: (rows[name], max(rows[reader] for reader in into)) for name, into in readers.items() if into})
    children: list[Element] = [_arrow_head()]
    for name, lane in lanes.items():
        children += _bus(name, readers[name], lanes, readers, rows, x=MARGIN + WIDTH + (lane + 1) * LANE)
    for row, stage in enumerate(stages):
        if row and stages[row - 1].name in stage.needs:
            y = _top(row)
            attributes = {"d": f"M{MARGIN + WIDTH / 2:g} {y - GAP:g}V{y - 2:g}", "class": "edge"}
            children.append(element("path", attributes | {"marker-end": "url(#arrow-head)"}))
    children += [_box(stage, row, notes[stage.name], stage.name in marked) for row, stage in enumerate(stages)]
    width = 2 * MARGIN + WIDTH + LANE * (max(lanes.values(), default=-1) + 1)
    label = "; ".join(
        f"{stage.name} reads {', '.join(stage.needs)}" if stage.needs else f"{stage.name} starts" for stage in stages
    )
    return drawing(width, _top(len(stages)) - GAP + MARGIN, f"The pipeline: {label}.", "graph", children)


def _top(row: int) -> float:
    return MARGIN + row * (HEIGHT + GAP)


def _lanes(spans: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Give each stage the innermost lane that is free from its row to that of its last reader."""
    lanes: dict[str, int] = {}
    for name in reversed(list(spans)):
        start, end = spans[name]
        taken = {lanes[other] for other in lanes if spans[other][0] <= end and start <= spans[other][1]}
        # Not below a lane in use inside of it: the lines of this stage would have to cross that lane twice.
        lanes[name] = max(taken, default=-1) + 1
    return dict(reversed(lanes.items()))


def _bus(
    name: str, into: Sequence[str], lanes: Mapping[str, int], readers: Mapping[str, list[str]], rows: Mapping[str, int],
    *, x: float,
) -> list[Element]:
    """The line out of a stage and down its lane, with a branch into each reader."""
    right = MARGIN + WIDTH
    start = _top(rows[name]) + HEIGHT - 9
    paths = []
    for reader in into:
        arriving = sorted((other for other in lanes if reader in readers[other]), key=lambda other: lanes[other])
        # From the innermost lane at the top to the outermost: none has to cross another on its last stretch.
        y = _top(rows[reader]) + HEIGHT * (arriving.index(name) + 1) / (len(arriving) + 1) - 3
        path = (
            f"M{right:g} {start:g}H{x - CORNER:g}Q{x:g} {start:g} {x:g} {start + CORNER:g}"
            f"V{y - CORNER:g}Q{x:g} {y:g} {x - CORNER:g} {y:g}H{right + 2:g}"
        )
        paths.append(element("path", {"d": path, "class": "edge", "marker-end": "url(#arrow-head)"}))
    return paths


def _box(stage: Stage, row: int, note: str, is_marked: bool) -> Element:
    y = _top(row)
    return element(
        "g", {"class": "stage marked" if is_marked else "stage"},
        element("title", {}, f"{stage.name}: {stage.description}"),
        element("rect", {"x": MARGIN, "y": y, "width": WIDTH, "height": HEIGHT, "rx": 8}),
        element("text", {"x": MARGIN + 14, "y": y + 20, "class": "name"}, stage.name),
        element("text", {"x": MARGIN + 14, "y": y + 37, "class": "note"}, note),
    )


def _arrow_head() -> Element:
    marker = {"id": "arrow-head", "viewBox": "0 0 8 8", "refX": 7, "refY": 4, "markerWidth": 7, "markerHeight": 7}
    head = element("path", {"d": "M0 0.5L8 4L0 7.5z", "class": "arrow-head"})
    return element("defs", {}, element("marker", {**marker, "orient": "auto"}, head))


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
    """whether its outputs are the same in all experiments; "" if there is one"""
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
    """Lay out the stages of one experiment or of several; the last decides what is drawn."""
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
    found = [stage for stage in stages if stage is not None]
    if len(found) < len(stages):
        return "in one only" if len(found) == 1 else "not in all"
    if not all(stage.hashes for stage in found):
        return "not run"
    return "same output" if len({stage.hashes for stage in found}) == 1 else "output differs"


def _lead(names: Sequence[str], rows: Sequence[Row], num_runs: int) -> str:
    lead = f"{len(names)} stages; an arrow leads from what is made to what reads it."
    if num_runs > 1:
        same = [row.name for row in rows if row.change == "same output"]
        which = both_or_all(num_runs)
        lead += f" The outputs of {len(same)} of them are the same in {which} experiments, byte for byte."
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
        return ["A dash means that a stage has left no cost.json."]
    return []
