"""A table of experiments as text for a terminal, Markdown, CSV or LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stageformer.artifacts.csv_files import csv_text
from stageformer.console.output import clean
from stageformer.experiments.table import Row, Table, value_of
from stageformer.params.differences import ABSENT, show
from stageformer.scoring.labels import show_score
from stageformer.scoring.significance import NUM_SAMPLES, SEED
from stageformer.terminal.json_text import json_text
from stageformer.terminal.text import columns

LESS = ("length_ratio", "repetition", "empty")
"""Scores that are left to CSV and JSON, which are for programs."""
_OVER_SEEDS = "Means over seeds ± standard deviation; in brackets, the 95 % interval of the mean (Student's t)."
_INTERVAL = f"In brackets: 95 % interval by bootstrap resampling, {NUM_SAMPLES:,} samples, seed {SEED}."


def plain(table: Table) -> str:
    """Return columns for a terminal, with signatures and notes."""
    head, *rows = _cells(table)
    signatures = {name: row.signatures.get(name, "") for row in table.rows for name in table.scores}
    return "\n".join([
        *columns([head, *rows], right=range(1, len(head))),
        f"  {_what(table)}",
        *columns([(label, signatures[name]) for name, label in table.scores.items() if signatures[name]]),
        *(f"  Note: {clean(note)}." for note in table.notes),
    ])  # fmt: skip


def markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown, and notes below it."""
    head, *rows = ([_escaped(cell, "\\`*_|<[") for cell in cells] for cells in _cells(table))
    line = ["---", *["---:"] * (len(head) - 1)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, line, *rows)]
    return "\n".join([*lines, "", _what(table), *(f"Note: {_escaped(note, '*_<[')}." for note in table.notes)])


def latex(table: Table) -> str:
    """Return a ``tabular`` for the package booktabs, and notes as comments."""
    head, *rows = ([_latex(cell) for cell in cells] for cells in _cells(table))
    lines = [f"    {' & '.join(cells)} \\\\" for cells in (head, *rows)]
    return "\n".join([
        *(f"% {clean(line)}" for line in (_what(table), *table.notes)),
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        "    \\toprule", lines[0], "    \\midrule", *lines[1:], "    \\bottomrule",
        "\\end{tabular}",
    ])  # fmt: skip


def comma_separated(table: Table) -> str:
    """Return CSV: a column for each parameter, score, and end of an interval; empty where there is no value."""
    kinds = ("", "_sd", "_low", "_high") if table.over_seeds else ("", "_low", "_high")
    ends = [f"{name}{end}" for name in table.scores for end in kinds if not end or _has(table, name)]
    beside = _beside(table)
    rows: list[list[str | float]] = []
    for row in table.rows:
        numbers: dict[str, float] = row.scores | {f"{name}_sd": value for name, value in row.spreads.items()}
        for name, found in row.intervals.items():
            numbers |= {f"{name}_low": round(found.low, 4), f"{name}_high": round(found.high, 4)}
        parameters = [value_of(row, name) for name in table.parameters]
        shown = ["" if value is ABSENT else show(value) for value in parameters]
        texts = (row.beside.get(column, "") for column in beside)
        rows.append([row.name, *shown, *(numbers.get(end, "") for end in ends), *texts])
    return csv_text(["experiment", *table.parameters, *ends, *beside], rows).removesuffix("\n")


FORMATS: dict[str, Callable[[Table], str]] = {
    "text": plain,
    "markdown": markdown,
    "csv": comma_separated,
    "latex": latex,
    "json": lambda table: json_text(table.as_dict()),
}


def _has(table: Table, name: str) -> bool:
    return any(name in row.intervals for row in table.rows)


def _cells(table: Table) -> list[list[str]]:
    """Return the head and a row for each experiment, for people: names short, scores rounded, intervals beside them."""
    scores = {name: label for name, label in table.scores.items() if name not in LESS}
    beside = _beside(table)
    head = ["row" if table.over_seeds else "experiment", *_short(table.parameters), *scores.values(), *beside]
    rows = (
        [row.name, *_values(table, row), *(_score(row, name) for name in scores),
         *(row.beside.get(column, "–") for column in beside)]
        for row in table.rows
    )  # fmt: skip
    return [head, *rows]


def _beside(table: Table) -> list[str]:
    return list(dict.fromkeys(column for row in table.rows for column in row.beside))


def _what(table: Table) -> str:
    return _OVER_SEEDS if table.over_seeds else _INTERVAL


def _values(table: Table, row: Row) -> list[str]:
    values = [value_of(row, name) for name in table.parameters]
    return ["–" if value is ABSENT else show(value) for value in values]


def _score(row: Row, name: str) -> str:
    if name not in row.scores:
        return "–"
    interval = row.intervals.get(name)
    spread = f" ± {row.spreads[name]:.2f}" if name in row.spreads else ""
    return show_score(row.scores[name]) + spread + (f" [{interval.low:.2f}, {interval.high:.2f}]" if interval else "")


def _short(names: Sequence[str]) -> list[str]:
    """Return the shortest ending of each dotted name that no other has."""
    found = []
    for name in names:
        parts = name.split(".")
        endings = [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
        found.append(next(
            ending for ending in endings
            if ending == name or not any(other != name and f".{other}".endswith(f".{ending}") for other in names)
        ))  # fmt: skip
    return found


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{character}" if character in special else character for character in clean(text))


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in clean(text))
