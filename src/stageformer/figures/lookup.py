"""How the tokens of a vocabulary got their first vectors, as bars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from stageformer.figures.canvas import INK
from stageformer.figures.style import save, style


def lookup_picture(counts: Mapping[str, Mapping[str, int]], path: Path) -> None:
    """Draw the number of tokens of each origin to a PNG file, a panel for each side.

    Args:
        counts: by side, and then by origin
        path: the file

    Raises:
        StageformerError: the disk is full.
    """
    with style():
        height = 0.5 + sum(0.8 + 0.3 * len(bars) for bars in counts.values())
        figure = Figure(figsize=(7.5, height), layout="constrained")
        panels = figure.subplots(len(counts), 1, squeeze=False)[:, 0]
        for axes, (side, bars) in zip(panels, counts.items(), strict=True):
            total = sum(bars.values())
            names = list(bars)[::-1]
            drawn = axes.barh(names, [bars[name] for name in names], height=0.6)
            labels = [f"{bars[name]:,} ({bars[name] / total:.1%})" for name in names]
            axes.bar_label(drawn, labels, padding=3, color=INK)
            axes.set_xlim(0, 1.25 * max(bars.values()))
            axes.set_title(f"How {total:,} tokens of the {side} vocabulary got their vectors")
            axes.set_xlabel("tokens")
        save(figure, path)
