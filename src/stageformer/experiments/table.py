"""Any number of experiments: the parameters in which they differ, and their scores with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.comparison import check_same_sentences
from stageformer.experiments.contents import METRICS, read_parameters, read_translations
from stageformer.experiments.experiment import Experiment
from stageformer.params.differences import ABSENT, compare, leaves
from stageformer.scoring.labels import LABELS
from stageformer.scoring.metrics import DIGITS
from stageformer.scoring.settings import Settings
from stageformer.scoring.significance import NUM_SAMPLES, SEED, Interval, bootstrap
from stageformer.scoring.translated import Translated

_LABELS = LABELS | {"perplexity": "perplexity"}


@dataclass(frozen=True)
class Row:
    """One experiment."""

    name: str
    parameters: dict[str, object]
    """by name, of those in which the experiments differ; without those that it does not have"""
    scores: dict[str, float]
    """by name, of beam search; and ``perplexity``"""
    intervals: dict[str, Interval]
    """of the scores that can be resampled"""
    signatures: dict[str, str]
    """by name of the score"""


@dataclass(frozen=True)
class Table:
    """Experiments side by side."""

    parameters: list[str]
    """in which they differ, in the order of ``params.yaml``"""
    rows: list[Row]
    notes: list[str]
    """what keeps the scores from being compared"""

    @property
    def scores(self) -> dict[str, str]:
        """The label of each score by its name, in the order in which they are shown, of those that a row has."""
        return {name: label for name, label in _LABELS.items() if any(name in row.scores for row in self.rows)}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it, scores rounded as in the metrics, and how the intervals came about."""
        return {
            "parameters": self.parameters,
            "experiments": [
                {
                    "experiment": row.name,
                    "parameters": row.parameters,
                    "scores": row.scores,
                    "intervals": {
                        name: [round(found.low, DIGITS), round(found.high, DIGITS)]
                        for name, found in row.intervals.items()
                    },
                    "signatures": row.signatures,
                }
                for row in self.rows
            ],
            "notes": self.notes,
            "intervals": {"share": 0.95, "method": "bootstrap resampling", "samples": NUM_SAMPLES, "seed": SEED},
        }


def make_table(experiments: Sequence[Experiment]) -> Table:
    """Lay experiments side by side, in the order given.

    Each is scored as its own stage ``evaluate`` did. Experiments with different test sets or kinds of scores are
    laid side by side nevertheless; a note names them.

    Raises:
        StageformerError: an experiment has no scores or translations, or they are damaged.
    """
    parameters = [read_parameters(experiment) for experiment in experiments]
    changed = {difference.key for values in parameters[1:] for difference in compare(parameters[0], values)}
    order = dict.fromkeys(key for values in parameters for key, _ in leaves(values))
    names = [key for key in order if key in changed]
    rows, sentences = [], []
    for experiment, values in zip(experiments, parameters, strict=True):
        own = dict(leaves(values))
        translations = read_translations(experiment)
        rows.append(_row(experiment, {key: own[key] for key in names if key in own}, translations))
        sentences.append({each.id: each for each in translations})
    notes = _notes_on_signatures(rows)
    for row, its in zip(rows[1:], sentences[1:], strict=True):
        try:
            check_same_sentences(sentences[0], its, (rows[0].name, row.name))
        except StageformerError as error:
            notes.append(f"not comparable: {error}")
    return Table(names, rows, notes)


def _row(experiment: Experiment, parameters: dict[str, object], translations: Sequence[Translated]) -> Row:
    metrics = experiment.read_json(METRICS)
    settings = Settings.of_metrics(metrics, f"{experiment.name}: {METRICS}")
    scores = {
        name: value
        for name, value in (metrics.get("beam") or {}).items()
        if name in LABELS and isinstance(value, int | float)
    }
    if isinstance(metrics.get("perplexity"), int | float):
        scores["perplexity"] = metrics["perplexity"]
    statistics = settings.scorer([each.references for each in translations]).statistics()
    texts = [each.translation for each in translations]
    intervals = {name: bootstrap(texts, statistic) for name, statistic in statistics.items() if name in scores}
    signatures = {name: metrics[key] for name in scores if (key := f"{name}_signature") in metrics}
    return Row(experiment.name, parameters, scores, intervals, signatures)


def _notes_on_signatures(rows: Sequence[Row]) -> list[str]:
    notes = []
    for name in dict.fromkeys(name for row in rows for name in row.signatures):
        found: dict[str, list[str]] = {}
        for row in rows:
            if name in row.signatures:
                found.setdefault(row.signatures[name], []).append(row.name)
        if len(found) > 1:
            kinds = "; ".join(f"{signature} in {', '.join(names)}" for signature, names in found.items())
            notes.append(f"not comparable: {LABELS[name]} is of different kinds: {kinds}")
    return notes


def value_of(row: Row, parameter: str) -> object:
    """Return the value of a parameter, or ``ABSENT``."""
    return row.parameters.get(parameter, ABSENT)
