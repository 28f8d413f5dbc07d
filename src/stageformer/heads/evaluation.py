"""What a head is worth: scores with intervals beside baselines, confusions, calibration; and the files of these."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.tables import write_table
from stageformer.heads.baselines import Guesses
from stageformer.heads.files import SavedHead
from stageformer.heads.prediction import Predicted
from stageformer.scoring.classification import (
    BINS,
    Bin,
    LabelCounts,
    OfLabel,
    Prediction,
    by_label,
    calibration,
    confusion,
)
from stageformer.scoring.metrics import DIGITS
from stageformer.scoring.significance import NUM_SAMPLES, SEED, interval


@dataclass(frozen=True)
class Evaluation:
    """What is known of a head on a split."""

    metrics: dict[str, Any]
    labels: list[OfLabel]
    confusions: Mapping[tuple[str, str], int]
    """how often each right label was predicted as which"""
    bins: list[Bin]
    """of the calibration"""


def evaluate(
    saved: SavedHead, predicted: Predicted, others: Mapping[str, Guesses], split: str, seen: Sequence[str]
) -> Evaluation:
    """Score a head beside the baselines.

    Args:
        saved: the head.
        predicted: by the head.
        others: by each baseline, of the same sentences.
        split: its name.
        seen: the labels of train.
    """
    rows = predicted.rows
    systems = {"head": rows} | {
        name: [Prediction(row.id, row.labels, guess) for row, guess in zip(rows, guesses, strict=True)]
        for name, guesses in others.items()
    }
    layout = LabelCounts.of(saved.kind, *systems.values())
    error, bins = calibration(predicted.confidence, predicted.right)
    known = set(seen)
    examples = len(rows) if saved.kind != "tags" else sum(len(row.labels) for row in rows)
    metrics: dict[str, Any] = {
        "split": split,
        "labels": saved.kind,
        "sentences": len(rows),
        "examples": examples,
        "classes": len(saved.labels),
        "labels_not_in_train": sum(label not in known for row in rows for label in row.labels),
    }
    if saved.kind == "tags":
        metrics["words_without_tokens"] = sum(len(row.labels) for row in rows if not row.predicted)
    for name, system in systems.items():
        metrics[name] = _scored(layout, system, with_intervals=name == "head")
    metrics["calibration_error"] = round(100 * error, DIGITS)
    metrics["calibration_error_signature"] = f"percent, expected calibration error, {BINS} bins of equal width"
    metrics["intervals"] = f"95 %, bootstrap over sentences, {NUM_SAMPLES} samples, seed {SEED}"
    for name in layout.scores(layout.counts(rows).sum(0)):
        metrics[f"{name}_signature"] = f"percent, {layout.signature(name)}"
    if shares := saved.model.shares():
        metrics["layer_mix"] = {
            str(layer): round(share, DIGITS) for layer, share in zip(saved.layers, shares, strict=True)
        }
    labels = by_label(layout, layout.counts(rows).sum(0))
    return Evaluation(metrics, labels, confusion(saved.kind, rows, layout.names), bins)


def _scored(layout: LabelCounts, rows: Sequence[Prediction], *, with_intervals: bool) -> dict[str, float]:
    counts = layout.counts(rows)
    found: dict[str, float] = {}
    for name, value in layout.scores(counts.sum(0)).items():
        found[name] = round(value, DIGITS)
        if with_intervals:
            limits = interval(counts, lambda totals, name=name: layout.scores(totals)[name])  # type: ignore[misc]
            found[f"{name}_low"], found[f"{name}_high"] = round(limits.low, DIGITS), round(limits.high, DIGITS)
    return found


def write_evaluation(evaluation: Evaluation, predicted: Predicted, *, output: Path, reports: Path) -> None:
    """Write ``predictions.parquet``, ``predictions.json``, ``metrics.json`` and the tables that are drawn.

    Raises:
        StageformerError: the disk is full.
    """
    columns = {
        "id": [row.id for row in predicted.rows],
        "labels": [row.labels for row in predicted.rows],
        "predicted": [row.predicted for row in predicted.rows],
        "probabilities": predicted.probabilities,
    }
    write_table(output / "predictions.parquet", "predictions", [columns])
    write_json(reports / "metrics.json", evaluation.metrics)
    with atomic_file(reports / "predictions.json") as file:
        file.write(predictions_json(predicted.rows))
    confusions = sorted(evaluation.confusions.items(), key=lambda entry: (-entry[1], entry[0]))
    _write_csv(
        reports / "confusion.csv", ("actual", "predicted", "examples"),
        ((actual, guess, count) for (actual, guess), count in confusions),
    )  # fmt: skip
    _write_csv(reports / "labels.csv", OfLabel._fields, (_rounded(label) for label in evaluation.labels))
    _write_csv(reports / "reliability.csv", Bin._fields, (_rounded(bin_) for bin_ in evaluation.bins))


def _rounded(values: Iterable[Any]) -> list[Any]:
    return [round(value, DIGITS) if isinstance(value, float) else value for value in values]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def predictions_json(rows: Sequence[Prediction]) -> bytes:
    """Return the predictions as git keeps them, a sentence a line: id, right labels, predicted ones."""
    lines = [json.dumps(list(row), ensure_ascii=False) for row in rows]
    header = f'{{"columns": {json.dumps(Prediction._fields)},\n"sentences": [\n'
    return (header + ",\n".join(lines) + "\n]}\n").encode()
