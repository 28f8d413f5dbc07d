"""Two heads side by side on one test set: is the second better, at which labels, and where do they differ?"""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.errors import StageformerError
from stageformer.experiments.comparison import Compared
from stageformer.experiments.contents import changes_since_commit, read_parameters
from stageformer.experiments.experiment import Experiment
from stageformer.params import differences
from stageformer.scoring.classification import LabelCounts, Prediction, by_label
from stageformer.scoring.significance import compare_counts

METRICS = "reports/evaluate_head/metrics.json"
PREDICTIONS = "reports/evaluate_head/predictions.json"


@dataclass(frozen=True)
class LabelChange:
    """How well two heads predict one label; pairs are of the first and the second, F1 in percent."""

    label: str
    examples: int
    f1: tuple[float, float]


@dataclass(frozen=True)
class SentenceChange:
    """A sentence of which the two heads say something else."""

    id: int
    labels: list[str]
    predicted: tuple[list[str], list[str]]


@dataclass(frozen=True, kw_only=True)
class HeadComparison(Compared):
    """What two heads made of one test set: their labels."""

    same_predictions: int
    """sentences of which both say the same"""
    by_label: list[LabelChange]
    """the most frequent label first"""
    changed: list[SentenceChange]
    """those of which one head is right, the others last; by id"""


def compare_heads(first: Experiment, second: Experiment, *, num_changed: int) -> HeadComparison:
    """Compare the labels that the heads of two experiments predict, by paired bootstrap over sentences.

    Args:
        first: the baseline.
        second: what is compared with it.
        num_changed: how many sentences with other labels to return.

    Raises:
        StageformerError: an experiment has no predictions, or they are not those of the same sentences and labels.
    """
    metrics = [experiment.read_json(METRICS) for experiment in (first, second)]
    kinds = [str(found.get("labels")) if isinstance(found, dict) else "" for found in metrics]
    if kinds[0] != kinds[1] or kinds[0] not in ("one", "several", "tags"):
        raise StageformerError(
            f"{first.name} and {second.name}: their heads learned different kinds of labels: {kinds[0]} and {kinds[1]} "
            "(ingest.labels)"
        )
    rows = [read_predictions(experiment) for experiment in (first, second)]
    for one, other in zip(*rows, strict=False):
        if (one.id, one.labels) != (other.id, other.labels):
            _raise_different(first, second, f"sentence {one.id} with {one.labels} and {other.id} with {other.labels}")
    if len(rows[0]) != len(rows[1]):
        _raise_different(first, second, f"{len(rows[0]):,} and {len(rows[1]):,} sentences")
    layout = LabelCounts.of(kinds[0], *rows)
    counts = [layout.counts(system) for system in rows]
    totals = [system.sum(0) for system in counts]
    results = {
        name: compare_counts(
            counts[0], counts[1], lambda sums, name=name: layout.scores(sums)[name], layout.signature(name)  # type: ignore[misc]
        )
        for name in layout.scores(totals[0])
    }
    second_f1 = {label.label: label.f1 for label in by_label(layout, totals[1])}
    changed = [
        SentenceChange(one.id, one.labels, (one.predicted, other.predicted))
        for one, other in zip(*rows, strict=True)
        if one.predicted != other.predicted
    ]
    changed.sort(key=lambda change: (change.labels not in change.predicted, change.id))
    return HeadComparison(
        names=(first.name, second.name),
        split=str(metrics[1].get("split")),
        sentences=len(rows[0]),
        same_predictions=len(rows[0]) - len(changed),
        parameters=differences.compare(read_parameters(first), read_parameters(second)),
        since_commit=(changes_since_commit(first), changes_since_commit(second)),
        differences=results,
        by_label=[
            LabelChange(label.label, label.examples, (100 * label.f1, 100 * second_f1[label.label]))
            for label in by_label(layout, totals[0])
        ],
        changed=changed[:num_changed],
    )


def _raise_different(first: Experiment, second: Experiment, what: str) -> None:
    raise StageformerError(
        f"{first.name} and {second.name} have different test sets: {what}; compare heads on the same labels: equal "
        "parameters ingest.*"
    )


def read_predictions(experiment: Experiment) -> list[Prediction]:
    """Return the predictions of the head of an experiment.

    Raises:
        StageformerError: they are missing or damaged.
    """
    content = experiment.read_json(PREDICTIONS)
    try:
        if tuple(content["columns"]) != Prediction._fields:
            raise ValueError("columns")
        rows = [Prediction(*row) for row in content["sentences"]]
        for row in rows:
            texts = [*row.labels, *row.predicted]
            if type(row.id) is not int or not all(isinstance(text, str) for text in texts):
                raise TypeError("types")
        if not rows:
            raise ValueError("no sentences")
    except (KeyError, TypeError, ValueError):
        raise StageformerError(
            f"{experiment.name}: {PREDICTIONS}: not the predictions of the stage evaluate_head; run `dvc repro "
            "heads/dvc.yaml`"
        ) from None
    return rows
