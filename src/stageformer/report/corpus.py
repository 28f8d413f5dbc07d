"""What ``ingest`` dropped, with examples, and how often each label is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.corpus.filters import FILTERS
from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report.files import read_object

_METRICS, _SAMPLES, _LABELS = (f"reports/ingest/{name}.json" for name in ("metrics", "dropped_samples", "labels"))
_MOST_LABELS = 50


@dataclass(frozen=True)
class Reason:
    """One reason to drop pairs."""

    name: str
    switch: str
    """the parameter that switches the filter off; ``""`` of what is no filter"""
    counts: tuple[str, ...]
    """of each experiment"""
    examples: tuple[tuple[str, str, str], ...]
    """source, target and place of the first that the last experiment dropped"""


@dataclass(frozen=True)
class Labels:
    """The labels of the last experiment."""

    rows: tuple[tuple[str, str, str, str], ...]
    """the most frequent: label, and counts in train, valid and test"""
    left_out: int
    """how many labels are not in the rows"""


def dropped(experiments: Sequence[Experiment]) -> list[Reason]:
    """Return the reasons for which any experiment dropped pairs, in the order of the filters.

    Raises:
        StageformerError: a report of ingest is damaged.
    """
    by_experiment = [_of(experiment, _METRICS, "dropped", dict) for experiment in experiments]
    samples = read_object(experiments[-1], _SAMPLES) or {}
    reasons = []
    for name in dict.fromkeys(name for found in by_experiment for name in found):
        counts = [found.get(name, 0) for found in by_experiment]
        if not all(isinstance(count, int) for count in counts):
            raise _damaged(experiments[-1], _METRICS)
        if any(counts):
            examples = tuple(_examples(experiments[-1], samples.get(name, [])))
            switch = f"ingest.{FILTERS[name]}" if name in FILTERS else ""
            reasons.append(Reason(name, switch, tuple(f"{count:,}" for count in counts), examples))
    # As they are applied: what is no filter first.
    order = ["", *FILTERS]
    return sorted(reasons, key=lambda reason: (order.index(reason.name if reason.switch else ""), reason.name))


def labels(experiments: Sequence[Experiment]) -> Labels:
    """Return how often each label is there. Raises StageformerError as :func:`dropped`."""
    found = _of(experiments[-1], _LABELS, "labels", list)
    try:
        rows = [(str(row["label"]), *(f"{row[split]:,d}" for split in ("train", "valid", "test"))) for row in found]
    except (KeyError, TypeError, ValueError):
        raise _damaged(experiments[-1], _LABELS) from None
    return Labels(tuple((row[0], row[1], row[2], row[3]) for row in rows[:_MOST_LABELS]), len(rows[_MOST_LABELS:]))


def _of(experiment: Experiment, path: str, key: str, kind: type) -> Any:
    content = read_object(experiment, path)
    value = kind() if content is None else content.get(key, kind())
    if not isinstance(value, kind):
        raise _damaged(experiment, path)
    return value


def _examples(experiment: Experiment, samples: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise _damaged(experiment, _SAMPLES)
    for sample in samples:
        source, target, where = (str(sample.get(name, "")) for name in ("source", "target", "where"))
        yield source, target, where


def _damaged(experiment: Experiment, path: str) -> StageformerError:
    return StageformerError(f"{experiment.name}: {path}: is not what ingest writes")
