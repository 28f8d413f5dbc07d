"""Scores in the report: tiles, the table of systems, and whether a difference may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report.formats import difference, number
from stageformer.scoring.significance import NUM_SAMPLES, BootstrapResult


@dataclass(frozen=True)
class Chance:
    """What paired bootstrap resampling shows, by name of the score; nothing for one experiment."""

    differences: Mapping[str, BootstrapResult] = field(default_factory=dict)
    note: str = ""
    """how it was tested, or why it was not"""


def chance(experiments: Sequence[Experiment]) -> Chance:
    """Compare two experiments as ``stageformer compare`` does."""
    if len(experiments) != 2:
        return Chance()
    # It imports sacreBLEU, which a report on one experiment need not wait for.
    from stageformer.experiments.comparison import compare

    try:
        differences = compare(*experiments, num_changed=0).differences
    except StageformerError as error:
        return Chance(note=f"Whether the differences may be chance was not tested. {error}.")
    note = (
        f"Interval and p by paired bootstrap resampling, {NUM_SAMPLES:,} samples; `stageformer compare` names the "
        "sentences that changed most."
    )
    return Chance(differences, note)


NAMES = {
    "bleu": "BLEU", "bleu_tokenized_lowercased": "BLEU, tokenized, lower-cased", "chrf": "chrF", "ter": "TER",
    "per": "PER", "wer": "WER", "perplexity": "Perplexity",
    "exact_match": "Exact match", "length_ratio": "Length ratio", "repetition": "Repetition", "empty": "Empty",
}
LOWER_IS_BETTER = frozenset({"ter", "per", "wer", "perplexity", "repetition", "empty"})
PERCENT = frozenset({"exact_match", "repetition", "per", "wer"})
TILES = ("bleu", "chrf", "ter", "per", "wer", "perplexity", "exact_match")
SYSTEMS = {"beam": "beam search", "greedy": "greedy search", "copy_source": "copied source"}


@dataclass(frozen=True)
class Tile:
    """One score, large."""

    name: str
    hint: str
    values: tuple[str, ...]
    """of each experiment, "–" where it has none"""
    difference: str
    """of the second to the first; "" if there is one experiment"""
    verdict: str
    """better, worse or same; "" if there is one experiment"""
    chance: str
    """interval and p of the difference, "" if they were not computed"""


def tiles(metrics: Sequence[Mapping[str, Any]], differences: Mapping[str, BootstrapResult]) -> list[Tile]:
    """Return the scores of beam search, with what the second experiment has gained, and whether by chance."""
    found = []
    for key in TILES:
        values = [_of_beam(run, key) for run in metrics]
        if any(value is not None for value in values):
            hint = "lower is better" if key in LOWER_IS_BETTER else "higher is better"
            shown = tuple(_show(key, value) for value in values)
            found.append(Tile(NAMES[key], hint, shown, *_compare(key, values), _chance(differences.get(key))))
    return found


def table(metrics: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the names of the scores, and every system that was scored with its values."""
    systems = [name for name, scores in metrics.items() if isinstance(scores, Mapping) and _numbers(scores)]
    systems.sort(key=lambda name: (*SYSTEMS, name).index(name))
    seen = {key for name in systems for key in _numbers(metrics[name])}
    keys = [key for key in NAMES if key in seen] + sorted(seen - NAMES.keys())
    rows = [
        (SYSTEMS.get(name, name.replace("_", " ")), [_show(key, _numbers(metrics[name]).get(key)) for key in keys])
        for name in systems
    ]
    return [NAMES.get(key, key.replace("_", " ")) for key in keys], rows


def signatures(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the signatures of sacreBLEU: the name of the score, and how it was computed."""
    ending = "_signature"
    names = [key.removesuffix(ending) for key in metrics if key.endswith(ending)]
    return [(NAMES.get(name, name), str(metrics[name + ending])) for name in names]


def _of_beam(metrics: Mapping[str, Any], key: str) -> float | None:
    scores = metrics if key == "perplexity" else metrics.get("beam", {})
    return _numbers(scores).get(key)


def _numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in scores.items() if isinstance(value, int | float)}


def _show(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return number(value) + (" %" if key in PERCENT else "")


def _chance(tested: BootstrapResult | None) -> str:
    if tested is None:
        return ""
    p = f"p = {tested.p:.3f}" if tested.p >= 0.001 else "p < 0.001"
    p = p.replace(" ", "\N{NO-BREAK SPACE}")
    return f"95 %: {difference(tested.low)} to {difference(tested.high)}, {p}"


def _compare(key: str, values: Sequence[float | None]) -> tuple[str, str]:
    if len(values) != 2 or values[0] is None or values[1] is None:
        return "", ""
    change = values[1] - values[0]
    text = difference(change)
    if text == "±0":
        return text, "same"
    return text, "better" if (change < 0) == (key in LOWER_IS_BETTER) else "worse"
