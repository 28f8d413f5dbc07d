"""Fonts for any script: DejaVu Sans, which comes with matplotlib, and after it whatever is installed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

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
    """Choose installed families: again and again the one that has most of what is still missing, ties by path."""
    families: list[str] = []
    left = missing
    covered = {path: found for path in _installed() if (found := missing & _characters(path))}
    while left and (best := max(covered, key=lambda path: len(covered[path] & left), default=None)):
        if not covered[best] & left:
            break
        left -= covered[best]
        # matplotlib keeps a list of fonts from an earlier run; a font installed since is not in it.
        font_manager.fontManager.addfont(best)
        families.append(font_manager.FontProperties(fname=best).get_name())
    if left and not _told:
        _told.update(left)
        shown = " ".join(sorted(left)[:_SHOWN]) + (" ..." if len(left) > _SHOWN else "")
        print(
            f"warning: pictures: no installed font has {len(left)} of the characters ({shown}); boxes are drawn for "
            "them; install a font of that script, such as Noto Sans CJK",
            file=sys.stderr,
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
