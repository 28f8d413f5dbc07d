"""The user's files: plain or compressed, one or many, with errors that name file, line and byte."""

from __future__ import annotations

import bz2
import contextlib
import glob
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from stageformer.artifacts.reading import bounded_lines, check_regular
from stageformer.errors import StageformerError, did_you_mean

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BUFFER = 1 << 17


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
    """Yield the lines of a plain or compressed file without their ends.

    Only LF and CRLF end a line: other separators of Unicode (U+2028, U+0085, form feed) are text. A byte order mark at
    the start is not part of the text. Compression (gzip, bzip2, xz, zstd, zip) is recognised by the first bytes, not by
    the file's name.

    Raises:
        StageformerError: the file is missing, unreadable, cut off or damaged, or a zip that holds more than one file.
    """
    number = 0
    check_regular(path)
    with readable(path), path.open("rb") as file:
        head = file.peek(8)
        name, unpack = next((found for magic, found in _COMPRESSIONS.items() if head.startswith(magic)), ("", None))
        try:
            for line in bounded_lines(unpack(file) if unpack else file, str(path)):
                number += 1
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                yield line.removesuffix(b"\n").removesuffix(b"\r")
        except _SeveralFilesError as error:
            message = f"{path}: the zip holds {error} files; name the one that is meant, unpacked"
            raise StageformerError(message) from None
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            if not unpack or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise StageformerError(
                f"{path}: the {name} file is cut off or damaged after line {number}; copy it again"
            ) from None


class _SeveralFilesError(Exception):
    """A zip holds another number of files than one."""


def _unzip(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(names) != 1:
        raise _SeveralFilesError(len(names))
    return _buffered(archive.open(names[0]))


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    return _buffered(pa.CompressedInputStream(pa.PythonFile(cast(io.IOBase, file), "r"), "zstd"))


def _buffered(file: Any) -> IO[bytes]:
    """Return a file whose lines are read in C; of those that unpack, each call costs much."""
    return io.BufferedReader(file, _BUFFER)


_COMPRESSIONS: dict[bytes, tuple[str, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": ("gzip", lambda file: _buffered(gzip.GzipFile(fileobj=file))),
    b"BZh": ("bzip2", lambda file: _buffered(bz2.BZ2File(file))),
    b"\xfd7zXZ\x00": ("xz", lambda file: _buffered(lzma.LZMAFile(file))),
    b"\x28\xb5\x2f\xfd": ("zstd", _unzstd),
    b"PK\x03\x04": ("zip", _unzip),
}
"""First bytes -> the compression, and what gives the lines in it."""
