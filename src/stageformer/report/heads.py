"""Heads in the report: scores beside baselines, scores by label, and which labels are taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.experiments.heads import METRICS, compare_heads
from stageformer.report.files import numbers, read_columns, read_object, typed
from stageformer.report.formats import difference, number
from stageformer.report.scores import Tile, changes, shown_score, signatures
from stageformer.scoring.significance import NUM_SAMPLES, BootstrapResult

STAGE = "evaluate_head"
MOST_LABELS = 40
NAMES = {
    "accuracy": "Accuracy", "exact_match": "Exact match", "micro_f1": "Micro F1", "macro_f1": "Macro F1",
    "span_f1": "Span F1", "calibration_error": "Calibration error",
}
_SYSTEMS = {
    "head": "the head", "majority": "most frequent label", "most_frequent_tag": "most frequent tag of the word",
    "naive_bayes": "naive Bayes", "tfidf_logistic_regression": "TF-IDF with logistic regression",
}
_UNITS = {"one": "sentences", "several": "sentences", "tags": "words"}
_LABELS = f"reports/{STAGE}/labels.csv"


@dataclass(frozen=True)
class HeadRun:
    """The scores of one experiment."""

    experiment: int
    """its place from 0"""
    name: str
    score_names: list[str]
    systems: list[tuple[str, list[tuple[str, str]]]]
    """the head and its baselines with their scores, each with its interval, "" of a baseline"""


@dataclass(frozen=True)
class LabelRow:
    """How well one label is predicted."""

    label: str
    examples: str
    values: tuple[str, ...]
    """precision, recall and F1 of the only head; or the F1 of each, and of two how much it has changed"""


@dataclass(frozen=True)
class Heads:
    """The section of the page."""

    lead: str
    tiles: list[Tile]
    shown: list[int]
    """the places of the experiments that have a head"""
    runs: list[HeadRun]
    label_columns: list[tuple[int | None, str]]
    """of the table of labels: place of the experiment, and what the column says"""
    labels: list[LabelRow]
    left_out: int
    """how many labels are not in the table"""
    note: str
    signatures: list[tuple[str, str]]


def heads(experiments: Sequence[Experiment]) -> Heads | None:
    """Gather what is known of the heads of some experiments; None where none has one.

    Raises:
        StageformerError: a report of the stage evaluate_head is damaged.
    """
    found = {
        index: metrics for index, experiment in enumerate(experiments)
        if (metrics := _read_metrics(experiment)) is not None
    }
    if not found:
        return None
    present = [experiments[index] for index in found]
    tested, note = _chance(present)
    rows, left_out = _labels(present)
    return Heads(
        lead=_lead(present, list(found.values())),
        tiles=_tiles(list(found.values()), tested),
        shown=list(found),
        runs=[
            HeadRun(index, experiments[index].name, *_table(experiments[index], metrics))
            for index, metrics in found.items()
        ],
        label_columns=_label_columns(list(found)),
        labels=rows,
        left_out=left_out,
        note=" ".join(filter(None, [*map(_mix, present, found.values()), note])),
        signatures=[
            (NAMES.get(name, name), text) for name, text in signatures(next(reversed(found.values())))
        ],
    )


def has_head(experiment: Experiment) -> bool:
    """Say whether a head of the experiment has been scored."""
    return experiment.read_bytes(METRICS) is not None


def _mix(experiment: Experiment, metrics: Mapping[str, Any]) -> str:
    """Return what a learned mean of layers reads, "" where none is learned."""
    mix = metrics.get("layer_mix") or {}
    typed(experiment, METRICS, {"layer_mix": mix}, layer_mix=dict)
    typed(experiment, METRICS, mix, **dict.fromkeys(mix, (int, float)))
    shares = ", ".join(f"{layer}: {100 * share:.0f} %" for layer, share in mix.items())
    return f"Of the layers, the learned mean of {experiment.name} reads {shares}." if shares else ""


def _read_metrics(experiment: Experiment) -> dict[str, Any] | None:
    metrics = read_object(experiment, METRICS)
    if metrics is not None:
        typed(experiment, METRICS, metrics, sentences=int, examples=int, classes=int, split=str, labels=str, head=dict,
              calibration_error=(int, float))  # fmt: skip
        typed(experiment, METRICS, metrics.get("head") or {}, **{
            name + ending: (int, float) for name in NAMES for ending in ("", "_low", "_high")
        })  # fmt: skip
    return metrics


def _lead(experiments: Sequence[Experiment], metrics: Sequence[Mapping[str, Any]]) -> str:
    texts = []
    for found in metrics:
        unit = _UNITS.get(str(found.get("labels")), "examples")
        words = f" with {found.get('examples', 0):,} words" if unit == "words" else ""
        texts.append(
            f"{found.get('classes', 0):,} labels of {unit}, learned from the saved memory; tested on "
            f"{found.get('sentences', 0):,} sentences of the split {found.get('split', '?')}{words}."
        )
    if len(set(texts)) > 1:
        texts = [f"{experiment.name}: {text}" for experiment, text in zip(experiments, texts, strict=True)]
    else:
        texts = texts[:1]
    if len(experiments) > 1:
        texts.append(f"Differences are to {experiments[0].name}.")
    return " ".join(texts)


def _chance(experiments: Sequence[Experiment]) -> tuple[list[Mapping[str, BootstrapResult]], str]:
    """Compare each head after the first with the first, as ``stageformer compare --head`` does."""
    differences: list[Mapping[str, BootstrapResult]] = []
    notes = []
    for other in experiments[1:]:
        try:
            differences.append(compare_heads(experiments[0], other, num_changed=0).differences)
        except StageformerError as error:
            differences.append({})
            notes.append(f"Whether the differences may be chance was not tested. {error}.")
    if any(differences):
        notes.append(
            f"Interval and p by paired bootstrap resampling over sentences, {NUM_SAMPLES:,} samples; `stageformer "
            "compare --head` names the sentences of which the heads say something else."
        )
    return differences, " ".join(notes)


def _tiles(metrics: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, BootstrapResult]]) -> list[Tile]:
    found = []
    for key, name in NAMES.items():
        values = [_value(run, key) for run in metrics]
        if all(value is None for value in values):
            continue
        hint = "lower is better" if key == "calibration_error" else "higher is better"
        if len(metrics) == 1 and (interval := _interval(metrics[0].get("head") or {}, key)):
            hint = f"95 %: {interval}"
        tests = [results.get(key) for results in tested]
        shown = tuple(shown_score(value, "%") for value in values)
        found.append(Tile(name, hint, shown, changes(key, values, tests)))
    return found


def _value(metrics: Mapping[str, Any], key: str) -> float | None:
    value: float | None = metrics.get(key) if key == "calibration_error" else (metrics.get("head") or {}).get(key)
    return value


def _interval(scores: Mapping[str, Any], key: str) -> str:
    low, high = (scores.get(f"{key}_{end}") for end in ("low", "high"))
    return "" if low is None or high is None else f"{number(float(low), 1)} to {number(float(high), 1)}"


def _table(
    experiment: Experiment, metrics: Mapping[str, Any]
) -> tuple[list[str], list[tuple[str, list[tuple[str, str]]]]]:
    systems = [name for name, scores in metrics.items() if isinstance(scores, Mapping) and name != "layer_mix"]
    systems.sort(key=lambda name: (*_SYSTEMS, name).index(name))
    keys = [key for key in NAMES if any(key in metrics[name] for name in systems)]
    rows = []
    for name in systems:
        typed(experiment, METRICS, metrics[name], **dict.fromkeys(NAMES, (int, float)))
        cells = [(shown_score(metrics[name].get(key), "%"), _interval(metrics[name], key)) for key in keys]
        rows.append((_SYSTEMS.get(name, name.replace("_", " ")), cells))
    return [NAMES[key] for key in keys], rows


def _label_columns(shown: Sequence[int]) -> list[tuple[int | None, str]]:
    if len(shown) == 1:
        return [(None, name) for name in ("Precision", "Recall", "F1")]
    columns: list[tuple[int | None, str]] = [(index, "F1") for index in shown]
    return [*columns, (None, "Change")] if len(shown) == 2 else columns


def _labels(experiments: Sequence[Experiment]) -> tuple[list[LabelRow], int]:
    """Return the labels that all heads were tested on, the most frequent first, and how many find no room."""
    tables = [_read_labels(experiment) for experiment in experiments]
    first = tables[0]
    names = [name for name in first if all(name in table for table in tables)]
    rows = []
    for name in names[:MOST_LABELS]:
        values: tuple[str, ...]
        if len(tables) == 1:
            values = tuple(number(100 * value, 1) for value in first[name][1:])
        else:
            f1 = [100 * table[name][3] for table in tables]
            values = tuple(number(value, 1) for value in f1)
            values += (difference(f1[1] - f1[0], 1),) if len(tables) == 2 else ()
        rows.append(LabelRow(name, f"{int(first[name][0]):,}", values))
    return rows, max(0, len(names) - MOST_LABELS)


def _read_labels(experiment: Experiment) -> dict[str, tuple[float, ...]]:
    """Return examples, precision, recall and F1 of each label."""
    columns = read_columns(experiment, _LABELS)
    wanted = ("examples", "precision", "recall", "f1")
    if not columns or not {"label", *wanted} <= columns.keys():
        return {}
    values = (numbers(experiment, _LABELS, name, columns[name]) for name in wanted)
    return dict(zip(columns["label"], zip(*values, strict=True), strict=True))
