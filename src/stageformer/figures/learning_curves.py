"""The losses of all training stages on one axis: the updates of a stage begin where those of the one before ended."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from stageformer.artifacts.csv_files import write_csv
from stageformer.errors import StageformerError
from stageformer.figures.style import save, style

_SPLITS = ("train", "valid")
_COLORS = ("#0072B2", "#D55E00")
"""Of Okabe and Ito's palette for all kinds of colour vision."""


@dataclass(frozen=True)
class Curve:
    """The loss of one split while one stage trains."""

    stage: str
    split: str
    updates: list[int]
    """counted from the first update of the first stage"""
    losses: list[float]
    """nats a token"""


def read_curves(reports: Sequence[Path]) -> list[Curve]:
    """Read the losses that training stages logged; a stage that trained nothing has none.

    Args:
        reports: the folder ``reports/STAGE`` of each stage, the first stage first

    Raises:
        StageformerError: a file is not a curve.
    """
    curves: list[Curve] = []
    done = 0
    for folder in reports:
        found = [
            Curve(folder.name, split, [done + step for step, _ in points], [loss for _, loss in points])
            for split in _SPLITS
            if (points := _read(folder, f"{split}_loss"))
        ]
        done = max((curve.updates[-1] for curve in found), default=done)
        curves += found
    return curves


def _read(reports: Path, name: str) -> list[tuple[int, float]]:
    path = reports / "plots" / "metrics" / f"{name}.tsv"
    if not path.exists():
        return []
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")
        return [(int(row["step"]), float(row[name])) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise StageformerError(
            f"{path}: needs the columns step and {name} with a number in each row; "
            f"make it again with `dvc repro --force {reports.name}`"
        ) from None


def write_curves(curves: list[Curve], folder: Path) -> None:
    """Write the losses as ``learning_curves.csv`` and draw them as ``learning_curves.png``.

    Raises:
        StageformerError: the disk is full.
    """
    rows = (
        (update, f"{loss:.6f}", curve.stage, curve.split)
        for curve in curves
        for update, loss in zip(curve.updates, curve.losses, strict=True)
    )
    write_csv(folder / "learning_curves.csv", ("update", "loss", "stage", "split"), rows)
    stages = list(dict.fromkeys(curve.stage for curve in curves))
    with style():
        figure = Figure(figsize=(8.0, 4.5), layout="constrained")
        axes = figure.subplots()
        for curve in curves:
            axes.plot(
                curve.updates, curve.losses, color=_COLORS[stages.index(curve.stage)], marker=".",
                linestyle="-" if curve.split == "valid" else "--", label=f"{curve.stage}, {curve.split}",
            )  # fmt: skip
        for before in stages[:-1]:
            end = max(curve.updates[-1] for curve in curves if curve.stage == before)
            axes.axvline(end, color="#8a8a8a", linewidth=0.8, linestyle=":")
        axes.set_title("Loss of all training stages, one after the other")
        axes.set_xlabel("updates")
        axes.set_ylabel("smoothed cross-entropy, nats a token")
        axes.grid(color="#e5e5e5", linewidth=0.6)
        if curves:
            axes.legend(frameon=False)
        save(figure, folder / "learning_curves.png")
