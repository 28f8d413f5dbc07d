"""How every figure is drawn and saved: the same content gives the same bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from stageformer.artifacts import atomic_file

DPI = 110
SEQUENTIAL = "Blues"
"""From nothing (white) to much: one hue, so that it reads with every kind of colour blindness, and in grey."""
DIVERGING = "PuOr"
"""From minus through zero to plus; purple and orange are told apart with every kind of colour blindness."""


@contextmanager
def style() -> Iterator[None]:
    """Draw by our settings alone, whatever stands in the user's configuration of matplotlib."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "svg.hashsalt": "stageformer"})
        # DejaVu Sans lacks some scripts; a box is drawn for a glyph that it has not.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*missing.*")
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the version of the software. Raises StageformerError when the disk is full."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    with atomic_file(path) as file:
        file.write(buffer.getvalue())


def printable(text: str) -> str:
    """Return the text with a dot in place of each character that has no shape, such as a control character."""
    return "".join(character if character.isprintable() else "\u00b7" for character in text)
