"""Charts of the report: inline SVG with axes, lines and bars, readable without colour."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from stageformer.report.formats import number, short

Element = ElementTree.Element


def element(tag: str, attributes: Mapping[str, object], *children: Element | str) -> Element:
    """Return an element. An attribute that is a float is written with at most two decimals; None leaves it out."""
    written = {name: _attribute(value) for name, value in attributes.items() if value is not None}
    made = ElementTree.Element(tag, written)
    for child in children:
        if isinstance(child, str):
            made.text = child
        else:
            made.append(child)
    return made


def drawing(width: float, height: float, label: str, css_class: str, children: Iterable[Element]) -> str:
    """Return a whole picture for a page of HTML, ``width`` by ``height`` units; screen readers read ``label``."""
    attributes = {"viewBox": f"0 0 {width:g} {height:g}", "class": css_class, "role": "img", "aria-label": label}
    svg = element("svg", attributes, *children)
    return str(ElementTree.tostring(svg, encoding="unicode", short_empty_elements=False))


def _attribute(value: object) -> str:
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Axis:
    """One axis of a chart; values from ``low`` to ``high`` are between the places ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the place of a value."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return values worth a tick, and their labels."""
        values = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return [(value, short(value)) for value in values]


def axis_for(
    values: Sequence[float], start: float, end: float, *, is_log: bool = False, from_zero: bool = False,
    margin: float = 0.0,
) -> Axis:
    """Return an axis that holds all ``values``.

    Args:
        values: what it must hold.
        start: place of the smallest value.
        end: place of the largest value.
        is_log: logarithmic; all values are above 0.
        from_zero: 0 is on it.
        margin: room left at both ends, as a share of the range.
    """
    low, high = min(values), max(values)
    if is_log:
        factor = (high / low) ** margin if high > low else 2.0
        return Axis(low / factor, high * factor, start, end, is_log=True)
    room = (high - low) * margin or (0.0 if high > low else abs(high) * 0.1 or 1.0)
    low, high = low - room, high + room
    if from_zero:
        low, high = (0.0, high) if min(values) >= 0 else (low, max(high, 0.0))
    return Axis(low, high, start, end)


def _linear_ticks(low: float, high: float, about: int = 5) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 2.5 else (1, 2, 5)
    values = [factor * 10.0**decade for decade in decades for factor in factors]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


WIDTH, HEIGHT = 380.0, 232.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 10.0, 8.0, 38.0
LETTERS = string.ascii_uppercase
LOOKS = tuple("abcdef"[index % 6] for index in range(len(LETTERS)))
"""what the first experiment, the second, and so on, are called and look like, here and in the CSS"""
MOST_DOTS = 30
"""points of a line up to which each is marked by a dot that shows its values"""


@dataclass(frozen=True)
class Series:
    """One line, or one bar of every group."""

    label: str
    look: str
    """CSS classes: ``a`` or ``b`` for the colour, ``dashed`` for the line"""
    pieces: Sequence[Sequence[tuple[float, float]]]
    """x and y of the points of each unbroken stretch of the line"""


@dataclass(frozen=True)
class Section:
    """A stretch of the x axis with a name and an origin of its own."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class LineChart:
    """What a line chart shows."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    from_zero: bool = False
    """0 is on the y axis, unless it is logarithmic"""
    sections: Sequence[Section] = field(default_factory=tuple)


@dataclass(frozen=True)
class BarChart:
    """What a bar chart shows."""

    title: str
    x_label: str
    y_label: str
    categories: Sequence[tuple[str, str]]
    """label of each group of bars, and what is below it in small print"""
    series: Sequence[tuple[str, str, Sequence[float | None]]]
    """label, look and values, one a category"""


@dataclass(frozen=True)
class Drawn:
    """A chart as the page takes it."""

    title: str
    y_label: str
    legend: Sequence[tuple[str, str, str]]
    """label, look and kind (line or bar)"""
    svg: str


def draw_lines(chart: LineChart) -> Drawn:
    """Draw a line chart."""
    points = [point for series in chart.series for piece in series.pieces for point in piece]
    x_axis = axis_for([x for x, _ in points], LEFT, WIDTH - RIGHT, is_log=chart.log_x)
    if chart.sections:
        x_axis = Axis(chart.sections[0].start, chart.sections[-1].end, LEFT, WIDTH - RIGHT)
    y_axis = axis_for(
        [y for _, y in points], HEIGHT - BOTTOM, TOP + 16 if chart.sections else TOP, is_log=chart.log_y,
        from_zero=chart.from_zero, margin=0.06,
    )
    children = [*_horizontal_lines(y_axis), _x_label(chart.x_label)]
    children += _section_marks(chart.sections, x_axis) if chart.sections else _x_ticks(x_axis.ticks(), x_axis)
    for series in chart.series:
        for piece in series.pieces:
            places = [(x_axis.place(x), y_axis.place(y)) for x, y in piece]
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            children.append(element("path", {"d": path, "class": f"line {series.look}"}))
            if len(piece) > MOST_DOTS:
                continue
            for (x, y), (across, down) in zip(piece, places, strict=True):
                origin = next((part.start for part in reversed(chart.sections) if part.start < x), 0)
                tooltip = element("title", {}, f"{series.label}, {chart.x_label} {short(x - origin)}: {y:.4g}")
                dot = {"cx": across, "cy": down, "r": 2.6, "class": f"dot {series.look}"}
                children.append(element("circle", dot, tooltip))
    label = f"{chart.title}. Lines: {'; '.join(_told(series) for series in chart.series)}."
    legend = [(series.label, series.look, "line") for series in chart.series]
    return Drawn(chart.title, chart.y_label, legend, drawing(WIDTH, HEIGHT, label, "chart", children))


def draw_bars(chart: BarChart) -> Drawn:
    """Draw a bar chart with a group of bars for each category."""
    known = [value for _, _, values in chart.series for value in values if value is not None]
    y_axis = axis_for([*known, 0.0], HEIGHT - BOTTOM - 12, TOP + 10, from_zero=True)
    children = [*_horizontal_lines(y_axis), _x_label(chart.x_label)]
    slot = (WIDTH - RIGHT - LEFT) / len(chart.categories)
    width = min(slot * 0.78 / len(chart.series), 34.0)
    for index, (category, below) in enumerate(chart.categories):
        middle = LEFT + slot * (index + 0.5)
        children.append(_text(middle, HEIGHT - BOTTOM + 3, category, "tick middle"))
        children.append(_text(middle, HEIGHT - BOTTOM + 15, below, "count middle"))
        for place, (name, look, values) in enumerate(chart.series):
            if (value := values[index]) is None:
                continue
            left = middle + (place - len(chart.series) / 2) * width
            y = y_axis.place(value)
            tooltip = element("title", {}, f"{name}, {category}: {number(value)}")
            bar = {"x": left + 1, "y": y, "width": width - 2, "height": y_axis.place(0) - y, "class": f"bar {look}"}
            children.append(element("rect", bar, tooltip))
            children.append(_text(left + width / 2, y - 4, number(value, 1 if width > 24 else 0), "value middle"))
    values_told = (
        f"{name}: " + ", ".join(
            f"{category} {number(value, 1)}"
            for (category, _), value in zip(chart.categories, values, strict=True) if value is not None
        )
        for name, _, values in chart.series
    )
    legend = [(name, look, "bar") for name, look, _ in chart.series]
    label = f"{chart.title}. {'; '.join(values_told)}."
    return Drawn(chart.title, chart.y_label, legend, drawing(WIDTH, HEIGHT, label, "chart", children))


def _told(series: Series) -> str:
    first, last = series.pieces[0][0][1], series.pieces[-1][-1][1]
    return f"{series.label} from {first:.4g} to {last:.4g}"


def _text(x: float, y: float, text: str, css_class: str) -> Element:
    return element("text", {"x": x, "y": y, "class": css_class}, text)


def _x_label(text: str) -> Element:
    return _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, text, "label middle")


def _horizontal_lines(y_axis: Axis) -> list[Element]:
    made = []
    for value, label in y_axis.ticks():
        y = y_axis.place(value)
        made.append(element("path", {"d": f"M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}", "class": "grid"}))
        made.append(_text(LEFT - 6, y + 3.5, label, "tick end"))
    return made


def _x_ticks(ticks: Sequence[tuple[float, str]], x_axis: Axis) -> list[Element]:
    made = []
    for value, label in ticks:
        x = x_axis.place(value)
        made.append(element("path", {"d": f"M{x:.1f} {HEIGHT - BOTTOM:g}v4", "class": "axis"}))
        made.append(_text(x, HEIGHT - BOTTOM + 16, label, "tick middle"))
    return made


def _section_marks(sections: Sequence[Section], x_axis: Axis) -> list[Element]:
    made = []
    for index, section in enumerate(sections):
        start, end = x_axis.place(section.start), x_axis.place(section.end)
        made.append(_text((start + end) / 2, TOP + 6, section.name, "section middle"))
        if index:
            made.append(element("path", {"d": f"M{start:.1f} {TOP:g}V{HEIGHT - BOTTOM:g}", "class": "divider"}))
        own = Axis(0.0, section.end - section.start, start, end)
        # The last tick of one section and the 0 of the next must not overlap.
        is_last = index == len(sections) - 1
        made += _x_ticks([tick for tick in own.ticks() if is_last or own.place(tick[0]) < end - 28], own)
    return made
