"""Attention maps: one for the mean over the heads, one small map for each head."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from stageformer.figures.style import SEQUENTIAL, printable, save, style

Floats = npt.NDArray[np.float32]

_CELL = 0.27
"""inches"""
_LARGEST_CELLS = 60
"""tokens a side beyond which cells shrink, so that the longest sentence makes no picture of metres"""


def attention_map(
    weights: Floats, rows: Sequence[str], columns: Sequence[str], path: Path, *, title: str, caption: Sequence[str],
    row_label: str, column_label: str,
) -> None:
    """Draw one map of attention weights to a PNG file.

    Args:
        weights: ``[rows, columns]``, from 0 to 1
        rows: the tokens that attend
        columns: the tokens that they attend to
        path: the file
        title: what it is
        caption: paragraphs under the title; each is wrapped, and cut after three lines
        row_label: what the rows are
        column_label: what the columns are

    Raises:
        StageformerError: the disk is full.
    """
    cell = _CELL * min(1.0, _LARGEST_CELLS / max(len(rows), len(columns)))
    width = max(6.0, cell * len(columns) + 2.8)
    wrap = textwrap.TextWrapper(width=int((width - 1) * 10), max_lines=3, placeholder=" \u2026")
    lines = [line for paragraph in caption for line in wrap.wrap(paragraph)]
    height = max(2.2, cell * len(rows)) + 1.7 + 0.17 * len(lines)
    with style():
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        axes = figure.add_subplot()
        image = _draw(axes, weights, largest=float(weights.max()))
        _label(axes, rows, columns, size=8.5 * cell / _CELL)
        axes.set_xlabel(column_label)
        axes.set_ylabel(row_label)
        axes.set_title("\n".join(map(printable, lines)), fontsize=9, loc="left", parse_math=False)
        figure.colorbar(image, ax=axes, label="attention weight", shrink=0.9)
        save(figure, path)


def attention_heads(
    weights: Floats, rows: Sequence[str], columns: Sequence[str], path: Path, *, title: str,
    row_label: str, column_label: str,
) -> None:
    """Draw a small map for each head of each layer, all on one scale, to a PNG file.

    Args:
        weights: ``[layers, H, rows, columns]``
        rows: the tokens that attend
        columns: the tokens that they attend to
        path: the file
        title: what it is
        row_label: what the rows are
        column_label: what the columns are

    Raises:
        StageformerError: the disk is full.
    """
    num_layers, num_heads = weights.shape[:2]
    cell = 0.15 * min(1.0, 30 / max(len(rows), len(columns)))
    width = max(1.2, cell * len(columns)) * num_heads + 2.2
    height = max(1.2, cell * len(rows)) * num_layers + 1.8
    with style():
        figure = Figure(figsize=(max(6.0, width), height), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        figure.supxlabel(column_label, fontsize=9)
        figure.supylabel(row_label, fontsize=9)
        grid = figure.subplots(num_layers, num_heads, squeeze=False)
        for layer in range(num_layers):
            for head in range(num_heads):
                axes = grid[layer, head]
                image = _draw(axes, weights[layer, head], largest=1.0)
                axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=7.5)
                _label(
                    axes,
                    rows if head == 0 else (),
                    columns if layer == num_layers - 1 else (),
                    size=6.5 * cell / 0.15,
                )
        figure.colorbar(image, ax=grid, label="attention weight", shrink=0.8)
        save(figure, path)


def _draw(axes: Axes, weights: Floats, largest: float) -> AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(weights, cmap=SEQUENTIAL, vmin=0.0, vmax=largest, aspect="auto", interpolation="nearest")


def _label(axes: Axes, rows: Sequence[str], columns: Sequence[str], size: float) -> None:
    """Write the tokens beside the rows and under the columns."""
    for axis, tokens in ((axes.yaxis, rows), (axes.xaxis, columns)):
        labels = [printable(token.replace(" ", "\u2423")) for token in tokens]
        # A `$` in a token begins no formula.
        axis.set_ticks(range(len(tokens)), labels, fontsize=size, parse_math=False)
    axes.tick_params(axis="x", rotation=90, length=2)
    axes.tick_params(axis="y", length=2)
