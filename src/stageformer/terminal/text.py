"""Text laid out for a terminal of a given width: any script, and no control characters from the data."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stageformer.console.output import clean


def display_width(text: str) -> int:
    """Return the number of terminal cells of the text: 2 for wide (such as CJK) characters, 0 for combining ones."""
    return sum(_cells(c) for c in text)


def _cells(c: str) -> int:
    if unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def wrap(text: str, width: int) -> list[str]:
    """Break text at spaces, or inside a word that is wider than a line, into lines of at most ``width`` cells."""
    lines, line, cells = [], "", 0
    for word in clean(text).split(" "):
        room = display_width(word)
        if line and cells + 1 + room <= width:
            line, cells = f"{line} {word}", cells + 1 + room
            continue
        if line:
            lines.append(line)
        line, cells = "", 0
        for c in word:
            if line and cells + _cells(c) > width:
                lines.append(line)
                line, cells = "", 0
            line, cells = line + c, cells + _cells(c)
    return [*lines, line]


def labelled(fields: Iterable[tuple[str, str]], width: int, indent: int = 2) -> list[str]:
    """Return lines of labels and texts beside them, each text wrapped within its column."""
    fields = list(fields)
    column = indent + max((display_width(label) for label, _ in fields), default=0) + 2
    lines = []
    for label, text in fields:
        first, *others = wrap(text, max(width - column, 10))
        lines.append((" " * indent + label).ljust(column) + first)
        lines += [" " * column + other for other in others]
    return [line.rstrip() for line in lines]


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return lines of cells in aligned columns; those numbered in ``right`` are flush right."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(display_width(row[i]) for row in cells) for i in range(len(cells[0]))] if cells else []
    lines = []
    for row in cells:
        padded = []
        for i, cell in enumerate(row):
            space = " " * (widths[i] - display_width(cell))
            padded.append(space + cell if i in right else cell + space)
        lines.append(("  " + "  ".join(padded)).rstrip())
    return lines


def aligned(labels: Sequence[str], sequences: Sequence[Sequence[str]], width: int, indent: int = 2) -> list[str]:
    """Return parallel sequences, such as tokens and their ids, one above the other, in blocks of at most ``width``."""
    head = indent + max(map(display_width, labels)) + 2
    sequences = [[clean(cell) for cell in sequence] for sequence in sequences]
    length = max(map(len, sequences))
    places = [[sequence[i] if i < len(sequence) else "" for sequence in sequences] for i in range(length)]
    lines: list[str] = []
    block: list[str] = []
    used = 0
    for place in places:
        cells = max(map(display_width, place))
        if not block or used + 1 + cells > width:
            lines += block
            block = (
                [(" " * indent + label).ljust(head) for label in labels] if not lines else [" " * head for _ in labels]
            )
            used = head
        block = [line + cell + " " * (cells - display_width(cell) + 1) for line, cell in zip(block, place, strict=True)]
        used += cells + 1
    return [line.rstrip() for line in lines + block]


def flat_fields(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested mappings as labels with dots and texts, for :func:`labelled`."""
    if isinstance(values, Mapping) and values:
        return [
            field
            for key, value in values.items()
            for field in flat_fields(value, f"{prefix}.{clean(str(key))}" if prefix else clean(str(key)))
        ]
    return [(prefix or "value", f"{values:.6g}" if isinstance(values, float) else str(values))]
