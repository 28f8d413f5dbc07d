"""Reading the small formats, JSON and lines of text, from files that may be anything: too large, endless, damaged.

What is wrong with a file is one error that names it. Tables are read in ``tables.py``, tensors in ``tensors.py``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from stageformer.artifacts.files import first_line, reason_of
from stageformer.errors import StageformerError

LARGEST = 2**30
"""Bytes that are read at once, of a file that is no table and holds no tensors."""
LONGEST_LINE = 2**24
"""Bytes of a line of text, of any file."""


def check_regular(path: Path) -> None:
    """Raise StageformerError if what is at ``path`` is a pipe, a socket or a device, which may never end."""
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever opens it gets the same, and says what was needed
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise StageformerError(f"{path}: found {kinds.get(stat.S_IFMT(mode), 'a device')}, needed a file")


def read_content(path: Path, largest: int = LARGEST) -> bytes:
    """Return the content of a file, whole.

    Args:
        path: of the file.
        largest: bytes that it may have.

    Raises:
        OSError: the operating system refuses.
        StageformerError: it is larger, or as :func:`check_regular`.
    """
    check_regular(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(largest + 1) if size <= largest else b""
    if size > largest or len(content) > largest:
        raise StageformerError(f"{path}: has {max(size, len(content)):,} bytes; at most {largest:,} are read")
    return content


def bounded_lines(file: IO[bytes], origin: str) -> Iterator[bytes]:
    """Yield the lines of a file, with their ends.

    Args:
        file: open; it may have no end.
        origin: names the file in the message.

    Raises:
        StageformerError: a line is longer than ``LONGEST_LINE``.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise StageformerError(
                f"{origin}, line {number}: is longer than {LONGEST_LINE:,} bytes, which no sentence is"
            )
        yield line


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises StageformerError when it is missing, unreadable or damaged."""
    try:
        return json.loads(read_content(path))
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; run `dvc repro` to make it") from None
    except OSError as error:
        raise StageformerError(f"{path}: cannot be read: {reason_of(error)}") from None
    except (ValueError, RecursionError) as error:
        reason = first_line(error)
        raise StageformerError(f"{path}: not readable as JSON ({reason}); run the stage that makes it again") from None


def read_sentences(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file. Raises StageformerError when it is missing or a line is not UTF-8."""
    try:
        with path.open("rb") as file:
            lines = enumerate(bounded_lines(file, str(path)), start=1)
            # Decoded at once: what has no end may at least be no text.
            texts = [decode_line(line.removesuffix(b"\n"), str(path), number) for number, line in lines]
    except OSError as error:
        raise StageformerError(f"{path}: {reason_of(error)}") from None
    return [text.removeprefix("\ufeff") if row == 0 else text for row, text in enumerate(texts)]


def decode_line(line: bytes, origin: str, number: int) -> str:
    """Return the text of a line. Raises StageformerError, which names the line and the byte, when it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
        raise StageformerError(f"{origin}, line {number}: {byte} is not UTF-8; convert the text") from None
