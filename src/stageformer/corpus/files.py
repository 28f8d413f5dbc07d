"""Lines of a plain or gzip file, with errors that name file, line and byte."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from stageformer.corpus.sources.base import MEND, Rejected
from stageformer.errors import StageformerError, did_you_mean

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"


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
    the start is no part of the text. Gzip is known by its first bytes, not by the file's name.

    Raises:
        StageformerError: the file is missing, unreadable, or a cut-off or damaged gzip file.
    """
    number = 0
    with readable(path), path.open("rb") as file:
        compressed = file.peek(2)[:2] == _GZIP_MAGIC
        lines = io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 17) if compressed else file
        try:
            for line in lines:
                number += 1
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                yield line.removesuffix(b"\n").removesuffix(b"\r")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise StageformerError(
                f"{path}: the gzip file is cut off or damaged after line {number}; get it again"
            ) from None


def decode(path: Path, number: int, line: bytes) -> str | Rejected:
    """Return the text of a line that must be UTF-8 and not empty, or why there is none."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        byte = error.start
        hint = " (the file looks like UTF-16)" if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        message = f"{path}:{number}:{byte + 1}: byte 0x{line[byte]:02x} is not UTF-8{hint}; {MEND}"
        return Rejected("not_utf8", f"{path.name}:{number}", message, line.decode(errors="replace"))
    if not text.strip():
        return Rejected("empty", f"{path.name}:{number}", f"{path}:{number}: empty line; {MEND}")
    return text
