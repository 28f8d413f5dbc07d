"""Scores in the report: tiles, the table of systems, and whether a difference may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report.formats import difference, number
from stageformer.scoring.significance import NUM_SAMPLES, BootstrapResult


@dataclass(frozen=True)
class Chance:
    """What paired bootstrap resampling shows."""

    differences: Sequence[Mapping[str, BootstrapResult]] = ()
    """by name of the score, of each experiment after the first, beside the first; empty where it was not tested"""
    note: str = ""
    """how it was tested, or why it was not"""


def chance(experiments: Sequence[Experiment]) -> Chance:
    """Compare each experiment after the first with the first, as ``stageformer compare`` does."""
    if len(experiments) == 1:
        return Chance()
    # It imports sacreBLEU, which a report on one experiment need not wait for.
    from stageformer.experiments.comparison import compare

    differences: list[Mapping[str, BootstrapResult]] = []
    notes = []
    for other in experiments[1:]:
        try:
            differences.append(compare(experiments[0], other, num_changed=0).differences)
        except StageformerError as error:
            differences.append({})
            notes.append(f"Whether the differences may be chance was not tested. {error}.")
    if any(differences):
        each = " of each pair alone" if len(experiments) > 2 else ""
        notes.append(
            f"Interval and p{each} by paired bootstrap resampling, {NUM_SAMPLES:,} samples; `stageformer compare` "
            "names the sentences that changed most."
        )
    return Chance(differences, " ".join(notes))


NAMES = {
    "bleu": "BLEU", "bleu_tokenized_lowercased": "BLEU, tokenized, lower-cased", "chrf": "chrF", "ter": "TER",
    "cer": "CER", "per": "PER", "wer": "WER", "perplexity": "Perplexity",
    "exact_match": "Exact match", "length_ratio": "Length ratio", "repetition": "Repetition", "empty": "Empty",
}
LOWER_IS_BETTER = frozenset({"ter", "cer", "per", "wer", "perplexity", "repetition", "empty", "calibration_error"})
PERCENT = frozenset({"exact_match", "repetition", "cer", "per", "wer"})
TILES = ("bleu", "chrf", "ter", "cer", "per", "wer", "perplexity", "exact_match")
SYSTEMS = {"beam": "beam search", "greedy": "greedy search", "copy_source": "copied source"}


@dataclass(frozen=True)
class Change:
    """What became of a score, from the first experiment to another."""

    difference: str
    """ "" if one of them has no such score"""
    verdict: str
    """better or worse, where it was tested and is hardly chance; else same, maybe chance, or not tested; "" likewise"""
    chance: str
    """interval and p of the difference, "" if they were not computed"""


@dataclass(frozen=True)
class Tile:
    """One score, large."""

    name: str
    hint: str
    values: tuple[str, ...]
    """of each experiment, "–" where it has none"""
    changes: tuple[Change, ...]
    """of each experiment after the first"""


def tiles(metrics: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, BootstrapResult]]) -> list[Tile]:
    """Return the scores of beam search, with what each experiment has gained on the first, and whether by chance."""
    found = []
    for key in TILES:
        values = [_of_beam(run, key) for run in metrics]
        if any(value is not None for value in values):
            hint = "lower is better" if key in LOWER_IS_BETTER else "higher is better"
            shown = tuple(_show(key, value) for value in values)
            tests = [results.get(key) for results in tested] or [None] * (len(values) - 1)
            found.append(Tile(NAMES[key], hint, shown, changes(key, values, tests)))
    return found


def changes(
    key: str, values: Sequence[float | None], tests: Sequence[BootstrapResult | None]
) -> tuple[Change, ...]:
    """Return what became of a score from the first experiment to each other.

    Args:
        key: of the score
        values: of each experiment
        tests: of each experiment after the first, whether that may be chance; None: it was not tested
    """
    return tuple(
        Change(*_compare(key, values[0], value, test), _chance(test))
        for value, test in zip(values[1:], tests, strict=True)
    )


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


LARGEST = 1e300
"""No score is as large; what is cannot be shown as one."""


def _numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in scores.items() if isinstance(value, int | float) and abs(value) < LARGEST}


def _show(key: str, value: float | None) -> str:
    return shown_score(value, "%" if key in PERCENT else "")


def shown_score(value: float | None, unit: str) -> str:
    """Return a score as the report writes it; "–" where there is none."""
    if value is None:
        return "–"
    return number(value) + (f" {unit}" if unit else "")


def _chance(tested: BootstrapResult | None) -> str:
    if tested is None:
        return ""
    p = f"p = {tested.p:.3f}" if tested.p >= 0.001 else "p < 0.001"
    p = p.replace(" ", "\N{NO-BREAK SPACE}")
    return f"95 %: {difference(tested.low)} to {difference(tested.high)}, {p}"


def _compare(key: str, first: float | None, other: float | None, tested: BootstrapResult | None) -> tuple[str, str]:
    if first is None or other is None:
        return "", ""
    change = other - first
    text = difference(change)
    if text == "±0":
        return text, "same"
    if tested is None:
        return text, "not tested"
    if tested.low <= 0 <= tested.high:
        return text, "maybe chance"
    return text, "better" if (change < 0) == (key in LOWER_IS_BETTER) else "worse"
