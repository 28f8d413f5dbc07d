"""Files that are whole or not there: atomic writing, and the small formats (JSON, CSV, plain lines).

A file is written in its folder under a temporary name, flushed to the disk and renamed, so that nobody ever sees a
half-written file. The same content gives the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import glob
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

    The temporary name is this process's own, ``.NAME.HOST-PID.partial``: others may write the same file at the same
    time, and the last one to end wins. What a killed process left is removed by the next one that writes the file.

    Raises:
        StageformerError: the operating system refuses: no permission, a read-only disk, a folder in the place of the
            file, a name too long, a full disk (with how much is free). What was at ``path`` is untouched.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(path.parent, path.name)
        partial = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.partial")
        try:
            file = partial.open("wb")
        except FileNotFoundError:  # another process has removed the empty folder just now
            path.parent.mkdir(parents=True, exist_ok=True)
            file = partial.open("wb")
    except OSError as error:
        raise _cannot_write(path, error) from None
    written = False
    try:
        with file:
            yield file
            written = True
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        # An error within the block may come from reading something else, unless the disk is full.
        if (cause := error if written and isinstance(error, OSError) else _disk_full(error)) is not None:
            raise _cannot_write(path, cause) from None
        raise


_HOST = os.uname().nodename
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _disk_full(error: BaseException) -> OSError | None:
    """Return the error that says that there is no space left: ``error``, or one that it was raised in answer to.

    torch and pyarrow write through Python files, and raise errors of their own once a write has failed.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _cannot_write(path: Path, error: OSError) -> StageformerError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free / 2**20
        reason = f"the disk is full ({free:.0f} MiB free); the file was not replaced; make room and run again"
    elif error.errno == errno.EFBIG:
        reason = "it would be larger than this system allows a file to be (ulimit -f); the file was not replaced"
    elif error.errno in (errno.EEXIST, errno.ENOTDIR):
        reason = "cannot be written: a part of its path is not a folder"
    else:
        reason = f"cannot be written: {reason_of(error)}"
    return StageformerError(f"{path}: {reason}")


def remove_left_over(folder: Path, name: str | None = None) -> None:
    """Remove what is left in ``folder`` of half-written files, or of the one ``name``.

    Only of processes of this machine that are gone: another one may be writing at this moment.
    """
    for left in folder.glob(f".{'*' if name is None else glob.escape(name)}.{glob.escape(_HOST)}-*.partial"):
        pid = left.name.removesuffix(".partial").rpartition("-")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except (ValueError, OverflowError, PermissionError):  # no pid, or the process of another user
            continue


def reason_of(error: OSError) -> str:
    """Return what the operating system says, in lower case: ``permission denied``."""
    return (error.strerror or first_line(error)).lower()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys and a final newline. Raises StageformerError when it cannot be written."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write(text.encode() + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises StageformerError when it is missing, unreadable or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; run `dvc repro` to make it") from None
    except OSError as error:
        raise StageformerError(f"{path}: cannot be read: {reason_of(error)}") from None
    except (ValueError, RecursionError) as error:
        reason = first_line(error)
        raise StageformerError(f"{path}: not readable as JSON ({reason}); run the stage that makes it again") from None


def write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[int | float | str, ...]]) -> None:
    """Write rows of numbers and plain words under a header. Raises StageformerError when it cannot be written."""
    with atomic_file(path) as file:
        for row in (columns, *rows):
            file.write(",".join(map(str, row)).encode() + b"\n")


def read_sentences(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file. Raises StageformerError when it is missing or a line is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StageformerError(f"{path}: {reason_of(error)}") from None
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
