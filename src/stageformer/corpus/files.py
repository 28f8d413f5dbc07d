"""The user's files: plain or gzip, one or many, with errors that name file, line and byte."""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from stageformer.errors import StageformerError, did_you_mean

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSION = {
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"PK\x03\x04": ("zip", "unzip"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
}
"""First bytes -> the compression, and the program that undoes it."""


def expand(name: str) -> list[Path]:
    """Return the files that a name in ``ingest.files`` refers to, sorted.

    Args:
        name: a file; a folder, which means all files in it except hidden ones; or a pattern with ``*``, ``?`` or
            ``[``.

    Raises:
        StageformerError: the folder is empty, or nothing has that pattern.
    """
    path = Path(name)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        if not found:
            raise StageformerError(f"{path}: the folder holds no files; see ingest.files")
        return found
    if glob.has_magic(name) and not path.exists():
        found = sorted(file for file in map(Path, glob.glob(name, recursive=True)) if file.is_file())
        if not found:
            raise StageformerError(f"{name}: no file has that pattern; see ingest.files")
        return found
    return [path]


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into a StageformerError of one line."""
    try:
        yield
    except FileNotFoundError:
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        raise StageformerError(f"{path}: no such file{did_you_mean(path.name, siblings)}; see ingest.files") from None
    except OSError as error:
        reason = (error.strerror or str(error)).splitlines()[0][:200]
        raise StageformerError(f"{path}: cannot be read ({reason}); see ingest.files") from None


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a plain or gzip file without their ends.

    Only LF and CRLF end a line: other separators of Unicode (U+2028, U+0085, form feed) are text. A byte order mark at
    the start is not part of the text. Gzip is recognised by its first bytes, not by the file's name.

    Raises:
        StageformerError: the file is missing, unreadable, a cut-off or damaged gzip file, or compressed otherwise.
    """
    number = 0
    with readable(path), path.open("rb") as file:
        head = file.peek(8)
        for magic, (compression, program) in _OTHER_COMPRESSION.items():
            if head.startswith(magic):
                raise StageformerError(
                    f"{path}: compressed with {compression}, and only plain files and gzip are read; unpack it first "
                    f"({program})"
                )
        lines = io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 17) if head.startswith(_GZIP) else file
        try:
            for line in lines:
                number += 1
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                yield line.removesuffix(b"\n").removesuffix(b"\r")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise StageformerError(
                f"{path}: the gzip file is cut off or damaged after line {number}; copy it again"
            ) from None
