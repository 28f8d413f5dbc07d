"""The lines of our code that do a step, read from the source at the moment the page is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import stageformer

_LIBRARY = Path(stageformer.__file__).parent


class Excerpt(NamedTuple):
    """Some lines of a function."""

    file: str
    """relative to the folder that holds the library"""
    line: int
    """number of the first, from 1"""
    code: str


def excerpt(function: Callable[..., Any], first: str = "", last: str | None = None) -> Excerpt:
    """Return the lines of a function from the one that holds ``first`` to the next that holds ``last``.

    Args:
        function: of the library
        first: a piece of the first line; empty: the line of the ``def``
        last: a piece of the last line; None: that of the first

    Raises:
        ValueError: the function has no such line.
    """
    function = inspect.unwrap(function)
    lines, start = inspect.getsourcelines(function)
    begin = _find(lines, first or "def ", 0, function)
    end = begin if last is None else _find(lines, last, begin, function)
    path = Path(inspect.getsourcefile(function) or "").relative_to(_LIBRARY.parent)
    return Excerpt(path.as_posix(), start + begin, dedent("".join(lines[begin : end + 1])).rstrip())


def _find(lines: list[str], piece: str, start: int, function: Callable[..., Any]) -> int:
    for number in range(start, len(lines)):
        if piece in lines[number]:
            return number
    raise ValueError(f"{function.__qualname__} has no line with {piece!r}")
