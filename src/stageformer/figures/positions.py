"""The table of positional encodings as a heat map (section 3.5 of the paper)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from stageformer.figures.style import DIVERGING, save, style

if TYPE_CHECKING:
    from torch import Tensor


def positions_heatmap(table: Tensor, path: Path) -> None:
    """Draw a table of positions ``[L, D]`` to a PNG file: a row a position, a column a dimension.

    Raises:
        StageformerError: the disk is full.
    """
    values = table.detach().float().cpu().numpy()
    largest = float(abs(values).max()) or 1.0
    with style():
        figure = Figure(figsize=(7.5, 5.0), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(
            values, cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest", rasterized=True
        )
        axes.set_xlabel(f"dimension of the vector (D = {values.shape[1]})")
        axes.set_ylabel(f"position in the sentence (L = {values.shape[0]})")
        axes.set_title("Positional encoding: what is added to the token at each position")
        figure.colorbar(image, ax=axes, label="value", shrink=0.9)
        save(figure, path)
