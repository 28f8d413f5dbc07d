"""Any number of experiments: the parameters in which they differ, and their scores with intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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


T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
)  # fmt: skip
"""The 97.5 % quantile of Student's t with 1, 2, ... 30 degrees of freedom; for more, the last one is a little wide."""


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
    spreads: dict[str, float] = field(default_factory=dict)
    """of a row over seeds, the standard deviation of each score (n - 1)"""
    beside: dict[str, str] = field(default_factory=dict)
    """what stands beside the scores, by column"""


@dataclass(frozen=True)
class Table:
    """Experiments side by side."""

    parameters: list[str]
    """in which they differ, in the order of ``params.yaml``"""
    rows: list[Row]
    notes: list[str]
    """what keeps the scores from being compared"""
    over_seeds: bool = False
    """rows are means over seeds, with intervals of the mean; otherwise experiments, with intervals of the test set"""

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
                    **({"standard_deviations": row.spreads, "beside": row.beside} if self.over_seeds else {}),
                }
                for row in self.rows
            ],
            "notes": self.notes,
            "intervals": {"share": 0.95, "method": "Student's t over seeds"} if self.over_seeds else {
                "share": 0.95, "method": "bootstrap resampling", "samples": NUM_SAMPLES, "seed": SEED,
            },
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


def interval_of_mean(values: Sequence[float]) -> Interval:
    """Return the 95 % interval of the mean of two or more independent values, such as scores with different seeds.

    By Student's t: with few seeds, it is far wider than the standard deviation.
    """
    mean, number = statistics.fmean(values), len(values)
    error = statistics.stdev(values) / math.sqrt(number)
    half = T_QUANTILES[min(number - 1, len(T_QUANTILES)) - 1] * error
    return Interval(mean - half, mean + half)


def averaged(table: Table, groups: Mapping[str, Sequence[str]], left_out: Sequence[str]) -> Table:
    """Return a table of the means over experiments that differ in their seeds alone.

    Args:
        table: of the experiments
        groups: by the name of the new row, the experiments that it is the mean of
        left_out: the parameters that differ within a group

    Returns:
        A row for each group that has experiments. With two or more, the intervals are those of the mean.
    """
    by_name = {row.name: row for row in table.rows}
    rows = []
    for name, experiments in groups.items():
        found = [by_name[each] for each in experiments if each in by_name]
        if not found:
            continue
        values = {score: [row.scores[score] for row in found if score in row.scores] for score in table.scores}
        several = {score: each for score, each in values.items() if len(each) == len(found) > 1}
        rows.append(replace(
            found[0], name=name,
            parameters={key: value for key, value in found[0].parameters.items() if key not in left_out},
            scores={score: round(statistics.fmean(each), DIGITS) for score, each in values.items() if each},
            spreads={score: round(statistics.stdev(each), DIGITS) for score, each in several.items()},
            intervals={score: interval_of_mean(each) for score, each in several.items()},
            beside={"seeds": str(len(found))},
        ))  # fmt: skip
    names = [name for name in table.parameters if name not in left_out]
    return Table(names, rows, table.notes, over_seeds=True)


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
