"""The look of all pictures: fonts that have the script of the text, colours and sizes."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from stageformer.artifacts.files import atomic_file
from stageformer.console.output import warn

FIRST = "DejaVu Sans"
"""Pictures of text that it can write are the same on every machine."""
_SHOWN = 8
"""characters that the warning names"""
_told: set[str] = set()
"""characters that the warning was about"""


def families_for(text: str) -> list[str]:
    """Return the font families that write ``text``, in the order in which a glyph is looked for.

    Where no installed font has a character, a box is drawn, and one line on stderr says so, once a process.
    """
    missing = frozenset(filter(str.isprintable, text)) - _characters(font_manager.findfont(FIRST))
    return [FIRST, *_fallbacks(missing)] if missing else [FIRST]


@functools.cache
def _fallbacks(missing: frozenset[str]) -> tuple[str, ...]:
    """Choose installed families: again and again the one that has most of what is still missing.

    Of families that have as much, a regular face comes first, then the order of the paths.
    """
    families: list[str] = []
    left = missing
    covered = {path: found for path in _installed() if (found := missing & _characters(path))}
    while left and covered:
        best = max(covered, key=lambda path: (len(covered[path] & left), _is_regular(path)))
        if not covered[best] & left:
            break
        left -= covered[best]
        # matplotlib keeps a list of fonts from an earlier run; a font installed since is not in it.
        font_manager.fontManager.addfont(best)
        families.append(font_manager.FontProperties(fname=best).get_name())
    if left and not _told:
        _told.update(left)
        shown = " ".join(sorted(left)[:_SHOWN]) + (" ..." if len(left) > _SHOWN else "")
        warn(
            f"pictures: no installed font has {len(left)} of the characters ({shown}); boxes are drawn for them; "
            f"install a font of that script, such as {_font_for(min(left))}"
        )
    return tuple(families)


def _installed() -> Iterable[str]:
    return sorted(font_manager.findSystemFonts())


@functools.cache
def _characters(path: str) -> frozenset[str]:
    """Return the characters that a font file has; none where matplotlib cannot read it."""
    try:
        return frozenset(map(chr, FT2Font(Path(path)).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


def _is_regular(path: str) -> bool:
    return FT2Font(Path(path)).style_name in ("Regular", "Book", "Roman", "Normal")


def _font_for(character: str) -> str:
    """Return the name of a font of Google's Noto that has the script of a character."""
    script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if script in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH"):
        return "Noto Sans CJK"
    return f"Noto Sans {script.title()}" if unicodedata.category(character) == "Lo" else "Noto Sans Symbols"


DPI = 110
SEQUENTIAL = "Blues"
"""From nothing (white) to much: one hue, so that it reads with every kind of colour blindness, and in grey."""
DIVERGING = "PuOr"
"""From minus through zero to plus; purple and orange can be told apart with every kind of colour blindness."""

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
    """Draw with our settings only, whatever is in the user's configuration of matplotlib.

    Args:
        texts: words of any script that will be drawn, for which installed fonts are looked up
    """
    # Many fonts have only one weight, which Matplotlib would report for each of them.
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        stack.callback(logger.setLevel, level)
        stack.enter_context(matplotlib.rc_context())
        stack.enter_context(warnings.catch_warnings())
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.family": families_for("".join(texts)), **_SETTINGS})
        # A box is drawn for a glyph that no font has; the user has been warned.
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
