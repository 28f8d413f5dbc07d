"""Draw in a terminal which source tokens each target token attends to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stageformer.terminal.text import clean, display_width

SHADES = {0.75: "█", 0.5: "▓", 0.25: "▒", 0.05: "░", 0.0: " "}
"""What stands for a weight of at least so much."""
LEGEND = ", ".join(f"{shade} {least:.0%}" for least, shade in sorted(SHADES.items()) if least) + " or more"


def alignment_lines(
    target: Sequence[str], source: Sequence[str], weights: npt.NDArray[np.float32], width: int
) -> list[str]:
    """Return lines with a weight of attention a shade: a row for each target token, a column for each source token.

    The names of the columns stand above them, from top to bottom. A source too long for the width is cut into blocks.

    Args:
        target: tokens of the translation, ``[T]``
        source: tokens of the source, ``[S]``
        weights: from each target token to each source token, ``[T, S]``; rows sum to 1
        width: of the terminal, in cells
    """
    names = [clean(token) for token in target]
    margin = max(map(display_width, names), default=0) + 2
    columns = [clean(token) for token in source]
    # Two cells a column: as wide as it is high, about, and wide enough for a character of any script.
    most = max(1, (width - margin) // 2)
    lines: list[str] = []
    for start in range(0, len(columns), most):
        block = slice(start, start + most)
        lines += [*([""] if lines else []), *_header(columns[block], margin)]
        for name, row in zip(names, weights[:, block], strict=True):
            cells = "".join(2 * _shade(weight) for weight in row.tolist())
            lines.append((" " * (margin - 1 - display_width(name)) + name + " " + cells).rstrip())
    return lines


def _header(names: Sequence[str], margin: int) -> list[str]:
    """Return the lines of names written downwards, flush with the matrix under them."""
    height = max(map(len, names), default=0)
    padded = [name.rjust(height) for name in names]
    rows = ["".join(_two_cells(name[line]) for name in padded) for line in range(height)]
    return [(" " * margin + row).rstrip() for row in rows]


def _two_cells(character: str) -> str:
    return character + " " * (2 - display_width(character))


def _shade(weight: float) -> str:
    return next(shade for least, shade in SHADES.items() if weight >= least)
