"""Pictures of a head: which labels it takes for which, and whether its probabilities are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stageformer.figures.canvas import INK
from stageformer.figures.style import SEQUENTIAL, printable, save, style
from stageformer.scoring.classification import Bin

MOST = 25
"""labels that a confusion matrix shows; the others are one"""
OTHERS = "others"
_WITH_NUMBERS = 12
"""labels up to which each field has its number"""


def draw_confusion(confusions: Mapping[tuple[str, str], int], names: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix to a PNG file: a row for each right label, whose fields are shares of it.

    Args:
        confusions: how often each right label was predicted as which; "": as none
        names: of the labels, the most frequent first
        path: the file

    Raises:
        StageformerError: the disk is full.
    """
    shown = list(names if len(names) <= MOST else names[: MOST - 1])
    if any(name not in shown for pair in confusions for name in pair):
        shown.append(OTHERS)
    place = {name: number for number, name in enumerate(shown)}
    counts = np.zeros((len(shown), len(shown)))
    for (actual, predicted), count in confusions.items():
        counts[place.get(actual, place.get(OTHERS, 0)), place.get(predicted, place.get(OTHERS, 0))] += count
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    written = [printable(name) or "none" for name in shown]
    with style(written):
        side = 1.8 + 0.42 * len(shown)
        figure = Figure(figsize=(side + 1.2, side), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
        axes.set_xticks(range(len(shown)), written, rotation=90)
        numbers = [f"{name} ({int(number):,})" for name, number in zip(written, totals[:, 0], strict=True)]
        axes.set_yticks(range(len(shown)), numbers)
        axes.set_xlabel("predicted")
        axes.set_ylabel("right label (examples)")
        axes.set_title("Which labels are taken for which")
        if len(shown) <= _WITH_NUMBERS:
            for row, column in np.ndindex(*shares.shape):
                if counts[row, column]:
                    color = "white" if shares[row, column] > 0.6 else INK
                    text = f"{shares[row, column]:.0%}"
                    axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
        figure.colorbar(image, ax=axes, label="share of the right label", shrink=0.8)
        save(figure, path)


def draw_reliability(bins: Sequence[Bin], error: float, path: Path) -> None:
    """Draw how often predictions of some probability are right to a PNG file.

    Args:
        bins: of the calibration
        error: the expected calibration error, in percent
        path: the file

    Raises:
        StageformerError: the disk is full.
    """
    with style():
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#8a8a8a", linestyle=":", label="calibrated")
        axes.plot(
            [bin_.probability for bin_ in bins], [bin_.accuracy for bin_ in bins], color="#0072B2", marker="o",
            label="the head",
        )  # fmt: skip
        for bin_ in bins:
            axes.annotate(
                f"{bin_.examples:,}", (bin_.probability, bin_.accuracy), textcoords="offset points", xytext=(5, -10),
                color=INK, fontsize=7,
            )  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("probability that the head gives its prediction")
        axes.set_ylabel("share of these that are right")
        axes.set_title(f"Calibration: expected error {error:.1f} %; numbers: predictions")
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.legend(frameon=False, loc="upper left")
        save(figure, path)
