"""Files that are whole or not there: atomic writing, and the small formats (JSON, CSV, plain lines).

A file is written beside its place under a temporary name, flushed to the disk and renamed, so that no half-written file
is ever seen. The same content gives the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from stageformer.errors import StageformerError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing under a temporary name, and rename it when the block ends without an error.

    Raises:
        StageformerError: the disk is full; the message says how much is free. What stood at ``path`` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if _is_disk_full(error):
            free = shutil.disk_usage(path.parent).free
            raise StageformerError(
                f"{path}: the disk is full ({free / 2**20:.0f} MiB free); nothing was replaced; make room and run again"
            ) from None
        raise


def _is_disk_full(error: BaseException) -> bool:
    """Whether ``error``, or one that it was raised in answer to, says that there is no room left.

    torch and pyarrow write through Python files, and raise errors of their own once a write has failed.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys and a final newline. Raises StageformerError when the disk is full."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write(text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises StageformerError when it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; run `dvc repro` to make it") from None
    except ValueError as error:
        raise StageformerError(f"{path}: not readable as JSON ({error}); run the stage that makes it again") from None


def write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[int | float | str, ...]]) -> None:
    """Write rows of numbers and plain words under a header. Raises StageformerError when the disk is full."""
    with atomic_file(path) as file:
        for row in (columns, *rows):
            file.write(",".join(map(str, row)).encode() + b"\n")


def read_sentences(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file. Raises StageformerError when it is missing or a line is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StageformerError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [decode_line(line, str(path), number) for number, line in enumerate(lines, start=1)]


def decode_line(line: bytes, origin: str, number: int) -> str:
    """Return the text of a line. Raises StageformerError, which names the line and the byte, when it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
        raise StageformerError(f"{origin}, line {number}: {byte} is not UTF-8; convert the text") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a UTF-8 file of these lines; nothing is written when making them fails."""
    with atomic_file(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
