"""How every figure is drawn and saved: the same content gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib
from matplotlib.figure import Figure

from stageformer.artifacts.files import atomic_file
from stageformer.figures.fonts import families_for

DPI = 110
SEQUENTIAL = "Blues"
"""From nothing (white) to much: one hue, so that it reads with every kind of colour blindness, and in grey."""
DIVERGING = "PuOr"
"""From minus through zero to plus; purple and orange are told apart with every kind of colour blindness."""

Format = Literal["png", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)
# What the bytes must not depend on: version of the software, date.
_METADATA: dict[Format, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
_SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "mathtext.fontset": "stix",
    "svg.hashsalt": "stageformer",
    "svg.fonttype": "path",  # looks the same where the font is not installed
    "image.composite_image": False,  # each matrix of an SVG stays a picture of its own, one pixel a value
}


@contextlib.contextmanager
def style(texts: Iterable[str] = ()) -> Iterator[None]:
    """Draw by our settings alone, whatever stands in the user's configuration of matplotlib.

    Args:
        texts: words of any script that will be drawn, for which installed fonts are looked up
    """
    # Many fonts have one weight alone, which matplotlib would tell for each of them.
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        stack.callback(logger.setLevel, level)
        stack.enter_context(matplotlib.rc_context())
        stack.enter_context(warnings.catch_warnings())
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.family": families_for("".join(texts)), **_SETTINGS})
        # A box is drawn for a glyph that no font has; the user was told so.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*missing.*")
        yield


def render(figure: Figure, format_: Format, dpi: int = DPI) -> bytes:
    """Return a figure as the bytes of a PNG or SVG file, without date and version of the software."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format_, dpi=dpi, metadata=_METADATA[format_])
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG. Raises StageformerError when the disk is full."""
    with atomic_file(path) as file:
        file.write(render(figure, "png"))


def printable(text: str) -> str:
    """Return the text with a dot in place of each character that has no shape, such as a control character."""
    return "".join(character if character.isprintable() else "\u00b7" for character in text)
