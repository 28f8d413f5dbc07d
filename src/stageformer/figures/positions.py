"""The table of positional encodings (section 3.5 of the paper) as a heat map, and how similar its rows are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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


_COMPARED = 128
"""positions, from the first: longer sentences are rare"""


def position_similarity(table: Tensor, path: Path) -> None:
    """Draw how alike the vectors of two positions are, as dot product and as cosine, to a PNG file.

    Args:
        table: of positions, ``[L, D]``; its first rows are compared
        path: the file

    Raises:
        StageformerError: the disk is full.
    """
    vectors = table[:_COMPARED].detach().double().cpu().numpy()
    products = vectors @ vectors.T
    lengths = np.linalg.norm(vectors, axis=1)
    # A vector of zeros, where there are no positions, is like no other.
    cosines = products / np.maximum(np.outer(lengths, lengths), np.finfo(float).tiny)
    with style():
        figure = Figure(figsize=(11.0, 4.9), layout="constrained")
        figure.suptitle("How alike two positions are", fontsize=11, fontweight="bold")
        for axes, values, name in zip(
            figure.subplots(1, 2), (products, cosines), ("dot product", "cosine"), strict=True
        ):
            largest = float(abs(values).max()) or 1.0
            image = axes.imshow(values, cmap=DIVERGING, vmin=-largest, vmax=largest, interpolation="nearest")
            axes.set_title(f"{name} of their vectors")
            axes.set_xlabel("position in the sentence")
            axes.set_ylabel("position in the sentence")
            figure.colorbar(image, ax=axes, label=name, shrink=0.9)
        save(figure, path)
