"""The pipeline as a picture: a column of stages, with a lane beside it for each that others further down read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stageformer.report.pipeline import Stage
from stageformer.report.svg import Element, drawing, element

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
