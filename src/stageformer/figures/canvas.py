"""A sheet measured in inches, on which matrices, words and arrows are put at given places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.textpath import text_to_path

Floats = npt.NDArray[np.float32]
POINTS = 72
"""an inch"""
SMALLEST, LARGEST = 4.7, 8.0
"""size of the numbers in cells, in points; where they would be smaller, they are left out"""
_SMALLEST_SIGN = 6.0
"""points: what is smaller is lost in the hatching"""
INK, GREY, FAINT = "#222222", "#555555", "#8a8a8a"


@dataclass(frozen=True)
class Box:
    """A rectangle; ``y`` grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower side."""
        return self.y + self.height

    @property
    def center(self) -> tuple[float, float]:
        """The x and y of the middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def cells(self, shape: tuple[int, ...], row: int, column: int, rows: int = 1, columns: int = 1) -> Box:
        """The place of some cells of a matrix of this shape that fills the box."""
        height, width = self.height / shape[0], self.width / shape[1]
        return Box(self.x + column * width, self.y + row * height, columns * width, rows * height)


def text_width(text: str, size: float) -> float:
    """The width in inches of a text without formulas, at ``size`` points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width) / POINTS


class Canvas:
    """A white sheet.

    Args:
        width: inches
        height: inches
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._width, self._height = width, height
        self._extent = {"xlim": (0, width), "ylim": (height, 0)}
        self._axes.set(**self._extent)

    def matrix(
        self, box: Box, values: Floats, colors: str, limits: tuple[float, float], *, edge: str = INK,
        edge_width: float = 1.4, masked: str = "\u2212\u221e", writers: Sequence[Callable[[float], str]] = (),
    ) -> None:
        """Draw a matrix as colours, and what is masked (minus infinity) as hatched grey.

        Args:
            box: the place
            values: ``[rows, columns]``
            colors: name of a colour map
            limits: the values of its two ends
            edge: colour of the frame
            edge_width: of the frame, in points
            masked: what is written into a masked cell
            writers: ways to write a number into its cell; the first that fits is taken
        """
        forbidden = np.isneginf(values)
        shown = np.where(forbidden, np.nan, values)
        self._axes.imshow(
            shown, cmap=colors, vmin=limits[0], vmax=limits[1], extent=(box.x, box.right, box.bottom, box.y),
            aspect="auto", interpolation="none",
        )  # fmt: skip
        self._axes.set(**self._extent)
        for row, line in enumerate(forbidden):
            # One rectangle for each run of cells: a long sentence has thousands of them.
            edges = np.flatnonzero(np.diff(line, prepend=False, append=False))
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                self.hatch(box.cells(values.shape, row, int(start), columns=int(end - start)))
        cell = box.cells(values.shape, 0, 0)
        for write in writers:
            widest = max((write(float(value)) for value in values[~forbidden]), key=len)
            size = min(LARGEST, 8.6 * cell.width / text_width(widest, 10), 45 * cell.height)
            if size >= SMALLEST:
                self._numbers(box, values, colors, limits, write, size, masked)
                break
        self.frame(box, edge, edge_width)

    def _numbers(
        self, box: Box, values: Floats, colors: str, limits: tuple[float, float], write: Callable[[float], str],
        size: float, masked: str,
    ) -> None:  # fmt: skip
        paint, scale = colormaps[colors], Normalize(*limits)
        for (row, column), value in np.ndenumerate(values):
            x, y = box.cells(values.shape, row, column).center
            if np.isneginf(value):
                if size >= _SMALLEST_SIGN:
                    self.text(x, y, masked, size=size, color=FAINT, halo=True)
                continue
            red, green, blue, _ = paint(scale(value))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.55
            self.text(x, y, write(float(value)), size=size, color=INK if light else "white")

    def hatch(self, box: Box) -> None:
        """Draw what is masked."""
        self._axes.add_patch(
            Rectangle((box.x, box.y), box.width, box.height, facecolor="#e9e9e9", edgecolor="#bdbdbd", hatch="////",
                      linewidth=0)
        )  # fmt: skip

    def frame(self, box: Box, color: str, width: float) -> None:
        """Draw the outline of a box, ``width`` points thick."""
        self._axes.add_patch(
            Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=color, linewidth=width, zorder=3)
        )

    def gradient(self, box: Box, colors: str) -> None:
        """Draw the colours of a colour map from left to right, or in an upright box from bottom to top."""
        shades = np.linspace(0, 1, 256, dtype=np.float32)
        upright = box.height > box.width
        self.matrix(box, shades[::-1, None] if upright else shades[None], colors, (0, 1), edge=FAINT)

    def text(
        self, x: float, y: float, text: str, *, size: float = 9, color: str = INK, align: str = "center",
        upright: str = "center", bold: bool = False, math: bool = False, turned: bool = False, halo: bool = False,
    ) -> None:  # fmt: skip
        """Write a text.

        Args:
            x: of the point that the text is aligned to
            y: of that point
            text: the text
            size: in points
            color: of the letters
            align: left, center or right
            upright: top, center or bottom
            bold: in bold letters
            math: read formulas between dollar signs
            turned: from bottom to top
            halo: on a grey ground, to be read on hatching
        """
        # A text of the figure, not of the axes, which would clip it: that takes a third longer.
        self.figure.text(
            x / self._width, 1 - y / self._height, text, fontsize=size, color=color, ha=align, va=upright,
            fontweight="bold" if bold else "normal", parse_math=math, rotation=90 if turned else 0, zorder=4,
            bbox={"facecolor": "#e9e9e9", "edgecolor": "none", "pad": 0.4} if halo else None,
        )  # fmt: skip

    def arrow(self, start: tuple[float, float], end: tuple[float, float], color: str = INK) -> None:
        """Draw an arrow."""
        self._axes.add_patch(
            FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, linewidth=1.3, color=color, shrinkA=0,
                            shrinkB=0, zorder=3)
        )  # fmt: skip

    def guide(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a dotted line, which says that two things are aligned."""
        self._axes.plot(*zip(start, end, strict=True), color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
