"""The net under every command and stage: whatever goes wrong ends in one line and an exit code.

| code | what |
|---|---|
| 2 | a mistake in the input, the parameters or the machine: a message of ours, of the operating system, or of memory |
| 3 | a fault of Stageformer: the line has a short code and names a log that holds the traceback |
| 130 | interrupted (SIGINT) |
| 141 | whoever read the output is gone (SIGPIPE) |

``STAGEFORMER_DEBUG=1`` prints the traceback as well.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import TracebackType

from stageformer.artifacts.files import atomic_file, first_line, reason_of
from stageformer.artifacts.scratch import scratch_folder
from stageformer.console.output import PIPE_CLOSED, echo, say
from stageformer.errors import EXTRAS, StageformerError, is_out_of_memory, what_is_missing

MISTAKE, FAULT, INTERRUPTED = 2, 3, 130
LONGEST = 1500
"""Characters of a message; of a longer one, such as about a name of thousands of letters, the middle is left out."""


@contextmanager
def net() -> Iterator[None]:
    """Report whatever is raised inside the block, and exit with its code. ``SystemExit`` passes."""
    try:
        yield
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # also KeyboardInterrupt, and panics of libraries written in Rust
        sys.exit(report(error))


def catch_what_imports_raise() -> None:
    """Report also what is raised outside of any block, such as an interruption while torch is imported."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        code = report(error.with_traceback(trace))
        sys.stderr.flush()
        os._exit(code)  # Python would exit with 1

    sys.excepthook = hook


def report(error: BaseException) -> int:
    """Say in one line what happened, and return the exit code."""
    if os.environ.get("STAGEFORMER_DEBUG") == "1" and not isinstance(error, StageformerError):
        echo("".join(traceback.format_exception(error)), err=True, end="")
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    if isinstance(error, KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    message = _mistake(error)
    if message is not None:
        say(f"error: {shortened(message)}")
        return MISTAKE
    say(f"error: a fault of Stageformer: {_short(error)} [{_code(error)}]; {log_of(error)}")
    return FAULT


def shortened(message: str) -> str:
    """Return a message of at most :data:`LONGEST` characters."""
    return message if len(message) <= LONGEST else f"{message[:600]} ... {message[-600:]}"


def _mistake(error: BaseException) -> str | None:
    """Return the message of an error that is no fault of Stageformer, or None."""
    if isinstance(error, StageformerError):
        return str(error)
    if is_out_of_memory(error):
        return (
            "out of memory: this machine cannot hold what was asked for; choose a smaller model, batch or beam, "
            "fewer threads, or a machine with more memory"
        )
    if isinstance(error, OSError) and error.errno is not None:
        place = next((str(name) for name in (error.filename2, error.filename) if name is not None), "")
        return f"{place}: {reason_of(error)}" if place else f"the operating system says: {reason_of(error)}"
    if isinstance(error, ModuleNotFoundError) and (package := (error.name or "").partition(".")[0]) in EXTRAS:
        return what_is_missing(package)
    return None


def _short(error: BaseException) -> str:
    reason = first_line(error)
    name = type(error).__name__
    text = name if reason == name else f"{name}: {reason}"
    return text if len(text) <= 200 else f"{text[:197]}..."


def _code(error: BaseException) -> str:
    """Return six letters and digits that are the same wherever and whenever this fault happens in this version."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "stageformer" in frame.filename or "stages" in frame.filename]
    places = [f"{Path(frame.filename).name} {frame.name}" for frame in ours or frames]
    return hashlib.sha256("\n".join([type(error).__name__, *places[-3:]]).encode()).hexdigest()[:6].upper()


def log_of(error: BaseException) -> str:
    """Write the traceback into a log. Returns what to do with it, or without it."""
    code = _code(error)
    head = [
        f"Stageformer {metadata.version('stageformer')}, Python {platform.python_version()}, {platform.platform()}",
        time.strftime("%Y-%m-%d %H:%M:%S"),
        shlex.join(sys.argv),
    ]
    content = "\n".join([*head, "", *traceback.format_exception(error)]).encode(errors="backslashreplace")
    for folder in (_logs, lambda: Path(tempfile.gettempdir()) / f"stageformer-{os.getuid()}"):
        try:
            path = folder() / f"{code}.log"
            with atomic_file(path) as file:
                file.write(content)
        except (StageformerError, OSError, RuntimeError):  # RuntimeError: the user has no home
            continue
        return f"the traceback is in {path}: please report it"
    return "set STAGEFORMER_DEBUG=1 to see the traceback, and please report it"


def _logs() -> Path:
    return scratch_folder() / "logs"
