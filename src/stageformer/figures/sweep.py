"""The picture of a sweep: every seed, the mean and its interval, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from stageformer.artifacts.files import atomic_file
from stageformer.experiments.table import Table
from stageformer.figures.style import printable, render, style

_COLOR, _SEEDS = "#0072B2", "#8a8a8a"
_DPI = 150
_SCORES = ("bleu", "chrf", "perplexity", "exact_match")
"""What is drawn, as far as it is there; at most two."""


def draw_sweep(means: Table, seeds: Sequence[Sequence[dict[str, float]]], title: str, path: Path) -> None:
    """Draw the rows of a sweep, from top to bottom, for the first two scores that it has.

    Args:
        means: over seeds
        seeds: for each row of the means, the scores with each seed
        title: of the picture
        path: the file; its ending, .png or .svg, says the format

    Raises:
        StageformerError: the disk is full.
    """
    scores = [name for name in _SCORES if name in means.scores][:2]
    names = [printable(row.name) for row in means.rows]
    places = range(len(names))
    with style([title, *names]):
        figure = Figure(figsize=(3.6 * len(scores) + 2.0, 1.2 + 0.3 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for axes, score in zip(panels, scores, strict=True):
            for place, row, each in zip(places, means.rows, seeds, strict=True):
                values = [found[score] for found in each if score in found]
                axes.plot(values, [place] * len(values), "o", color=_SEEDS, markersize=4, alpha=0.7)
                if score in row.scores:
                    axes.plot([row.scores[score]], [place], "D", color=_COLOR, markersize=5)
                if interval := row.intervals.get(score):
                    axes.plot([interval.low, interval.high], [place] * 2, color=_COLOR, linewidth=1.4)
            axes.set_xlabel(means.scores[score])
            axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
        panels[0].set_yticks(places, names)
        panels[0].invert_yaxis()
        figure.suptitle(printable(title), fontsize=10)
        content = render(figure, "svg" if path.suffix == ".svg" else "png", _DPI)
    with atomic_file(path) as file:
        file.write(content)
