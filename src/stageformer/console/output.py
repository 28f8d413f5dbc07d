"""Everything that is printed, by every command and stage: no control character of the data reaches the terminal.

File names, columns of tables, entries of archives, keys of YAML and lines of corpora may hold escape sequences, line
feeds and controls of direction, which rewrite what stands on a terminal or forge a line of ours. They are spelled out
here, in the one place that writes to the standard streams.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

from stageformer.artifacts.files import reason_of
from stageformer.errors import StageformerError

PIPE_CLOSED = 141
"""The exit code of a program whose reader is gone, as if SIGPIPE had ended it."""

_CONTROLS = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069"
_ANY = re.compile(f"[{_CONTROLS}]")
_BUT_LAYOUT = re.compile(f"(?![\n\t])[{_CONTROLS}]")


def clean(text: str) -> str:
    """Return the text in one line: control characters, lone surrogates and controls of direction are spelled out."""
    return _ANY.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    return repr(match.group())[1:-1]


def is_unicode(text: str) -> bool:
    """Return False for text with lone surrogates, which JSON and arguments can hold and UTF-8 cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def echo(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Print text that is laid out already: all is cleaned but line feeds and tabs, which are taken to be ours.

    Whoever lays out lines has to :func:`clean` what it puts into them.

    Args:
        text: any number of lines
        err: to standard error
        end: what follows it

    Raises:
        SystemExit: nobody reads any more.
        StageformerError: the stream is closed, or cannot be written.
    """
    _write(_BUT_LAYOUT.sub(_spelled, text) + end, err)


def answer(text: str) -> None:
    """Print a line that is the result itself, such as a translation: a terminal gets it cleaned, a program unchanged.

    Raises:
        SystemExit, StageformerError: as :func:`echo`.
    """
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    _write(f"{_BUT_LAYOUT.sub(_spelled, text) if is_terminal else text}\n", err=False)


def say(text: str) -> None:
    """Print one line on the progress of a stage on standard error. Nothing happens where it cannot be written."""
    try:
        _write(f"{clean(text)}\n", err=True)
    except (SystemExit, StageformerError):
        return


def warn(text: str) -> None:
    """Print a warning in one line on standard error."""
    say(f"warning: {text}")


def _write(text: str, err: bool) -> None:
    stream: TextIO | None = sys.stderr if err else sys.stdout
    name = "standard error" if err else "standard output"
    if stream is None:
        raise StageformerError(f"{name} is closed; there is nowhere to write")
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as error:
        _give_up(stream)
        if isinstance(error, BrokenPipeError):
            sys.exit(PIPE_CLOSED)
        raise StageformerError(f"{name} cannot be written: {reason_of(error)}") from None


def _give_up(stream: TextIO) -> None:
    """Send what is still in the buffer nowhere, or Python would complain of it at the very end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no file behind the stream
        return
