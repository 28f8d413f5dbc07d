"""Tables in CSV for spreadsheets and for the plots of DVC, whose texts may come from a corpus."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from stageformer.artifacts.files import atomic_file

_FORMULA = re.compile(r"(^|[,;\t\r\n])([=+@\-\uff1d\uff0b\uff20\uff0d])(?=[^,;\t\r\n])")
"""What a spreadsheet takes for a formula at the start of a cell, whichever separator it splits lines at."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[int | float | str]]) -> None:
    """Write a table as `csv_text` makes it. Raises StageformerError as `atomic_file`."""
    text = csv_text(columns, rows)
    with atomic_file(path) as file:
        file.write(text.encode())


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[int | float | str]]) -> str:
    """Return a table whose texts are only shown, wherever it is opened.

    A spreadsheet would run ``=cmd|...`` as a formula: a text that begins like one gets an apostrophe before it. DVC
    puts plots unescaped between script tags: ``<`` becomes the full-width U+FF1C. Numbers stay as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (columns, *rows):
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def _harmless(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1'\2", text.replace("<", "\uff1c"))
