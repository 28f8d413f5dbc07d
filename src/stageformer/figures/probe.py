"""The curve of a probe over the layers."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.figure import Figure

from stageformer.artifacts.files import atomic_file
from stageformer.figures.style import render, style
from stageformer.probing.probe import MIX, Probed, summary

_SERIES = (("accuracy", "#0072B2", "o"), ("control task", "#D55E00", "s"), ("selectivity", "#009E73", "^"),
           ("accuracy, random encoder", "#8a8a8a", "D"))  # fmt: skip
"""Colours of Okabe and Ito's palette for all kinds of colour vision."""
_DPI = 150


def draw_probe(probed: Probed, path: Path) -> None:
    """Draw accuracy, control task, selectivity and the random encoder over the layers, with standard deviations.

    Args:
        probed: what was found.
        path: the file; its ending, .png or .svg, says the format.

    Raises:
        StageformerError: the disk is full.
    """
    found = list(summary(probed))
    places = range(len(found))
    with style():
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.subplots()
        for number, (name, color, marker) in enumerate(_SERIES):
            means = [values[number][0] for _, values in found]
            spreads = [0.0 if math.isnan(values[number][1]) else values[number][1] for _, values in found]
            axes.errorbar(places, means, yerr=spreads, color=color, marker=marker, capsize=3, label=name)
        majority = sum(probed.majority) / len(probed.majority)
        axes.axhline(majority, color="#8a8a8a", linestyle=":", label="most frequent label")
        axes.set_xticks(places, ["embedding" if name == "0" else name for name, _ in found])
        axes.set_xlabel(f"layer; {MIX}: a learned mix of all")
        axes.set_ylabel("accuracy")
        axes.set_title("What a linear probe finds in each layer")
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.legend(frameon=False)
        content = render(figure, "svg" if path.suffix == ".svg" else "png", _DPI)
    with atomic_file(path) as file:
        file.write(content)
