"""The table of the translations, of one experiment or of several side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.experiments.contents import read_translations as read_sentences
from stageformer.experiments.experiment import Experiment
from stageformer.report.charts import LETTERS
from stageformer.scoring.translated import PATH, Translated

MAX_ROWS = 20_000
"""sentences in the page: about 300 bytes each"""
ROWS_A_PAGE = 25


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    label: str
    kind: str
    """id, number, text, or exact: a text that may be marked as an exact match"""
    decimals: int = 0
    side: str = ""
    """source or target: which language a text is in"""
    is_signed: bool = False


@dataclass(frozen=True)
class TranslationTable:
    """The columns and the rows. A cell is a number or texts; of a column ``exact`` also whether it is a match."""

    columns: list[Column]
    rows: list[list[Any]]
    notes: list[str]
    """what is missing, and why"""

    def as_json(self) -> str:
        """Return everything for ``report.js``, free of what would end the ``<script>`` that holds it."""
        columns = [vars(column) for column in self.columns]
        content = {"columns": columns, "rows": self.rows, "rowsAPage": ROWS_A_PAGE}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        for character in "<>&\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return text


def read_translations(experiments: Sequence[Experiment]) -> TranslationTable:
    """Read the translations.

    Of several experiments, the sentences that all have translated are kept: those of the same number and source.

    Raises:
        StageformerError: a table is damaged or of another kind.
    """
    tables = []
    for experiment in experiments:
        if experiment.read_bytes(PATH) is None:
            return TranslationTable([], [], [f"Translations are left out. {experiment.name}: there is no {PATH}."])
        tables.append({row.id: row for row in read_sentences(experiment)})
    translations = _one(tables[0]) if len(tables) == 1 else _several(tables, experiments)
    if (number := len(translations.rows)) > MAX_ROWS:
        note = f"The first {MAX_ROWS:,} of {number:,} sentences are in this page, so that it stays quick."
        return TranslationTable(translations.columns, translations.rows[:MAX_ROWS], [*translations.notes, note])
    return translations


def _one(table: Mapping[int, Translated]) -> TranslationTable:
    columns = [
        Column("No.", "id"),
        Column("Source", "text", side="source"),
        Column("Reference", "text", side="target"),
        Column("Translation", "exact", side="target"),
        Column("BLEU", "number", 1),
        Column("chrF", "number", 1),
        Column("Model score", "number", 2),
    ]
    rows = [
        [
            number, [row.source], row.references, [row.translation, row.exact_match],
            round(row.bleu, 1), round(row.chrf, 1), round(row.score, 2),
        ]
        for number, row in table.items()
    ]
    return TranslationTable(columns, rows, [])


def _several(tables: Sequence[Mapping[int, Translated]], experiments: Sequence[Experiment]) -> TranslationTable:
    """Return the texts and BLEU of each; of two, also the differences."""
    letters = LETTERS[: len(tables)]
    is_pair = len(tables) == 2
    columns = [
        Column("No.", "id"),
        Column("Source", "text", side="source"),
        Column("Reference", "text", side="target"),
        *(Column(f"Translation {letter}", "exact", side="target") for letter in letters),
        *(Column(f"BLEU {letter}", "number", 1) for letter in letters),
    ]
    if is_pair:
        columns += [Column(f"{name} B − A", "number", 1, is_signed=True) for name in ("BLEU", "chrF")]
    first, *others = tables
    shared = [
        number for number, row in first.items()
        if all(number in other and other[number].source == row.source for other in others)
    ]
    rows = []
    for number in shared:
        found = [table[number] for table in tables]
        row: list[Any] = [number, [found[0].source], found[0].references]
        row += [[each.translation, each.exact_match] for each in found]
        row += [round(each.bleu, 1) for each in found]
        if is_pair:
            one, other = found
            row += [round(other.bleu - one.bleu, 1), round(other.chrf - one.chrf, 1)]
        rows.append(row)
    left_out = [
        f"{len(table) - len(shared):,} of the {len(table):,} sentences of {experiment.name}"
        for experiment, table in zip(experiments, tables, strict=True) if len(table) > len(shared)
    ]
    who = "the other experiment" if is_pair else "another experiment"
    note = f"Left out, because {who} did not translate them: {' and '.join(left_out)}."
    return TranslationTable(columns, rows, [note] if left_out else [])
