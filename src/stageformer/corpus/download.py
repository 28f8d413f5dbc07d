"""Files at an address: fetched once, by range, so that a download that was cut off resumes, and checked by hash."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from stageformer.console.output import say
from stageformer.errors import StageformerError

_ATTEMPTS = 5
"""Attempts in a row that bring not one byte, after which the download fails."""
_PAUSE = 1.0
"""Seconds before the next attempt, times the failures in a row."""
_TIMEOUT = 60
"""Seconds without an answer."""
_CHUNK = 1 << 16
_HASH = "#sha256="


def is_address(name: str) -> bool:
    """Return whether a name in ``ingest.files`` is an address rather than a path."""
    return name.startswith(("https://", "http://"))


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, as ``ingest`` and package indexes spell it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(name: str, cache: Path) -> Path:
    """Return the file at an address, downloaded unless it is in ``cache`` already.

    What arrives is kept in a file that ends in ``.part``: when the connection is cut, or the process is killed, the
    next attempt asks for the rest alone. Two processes that want the same file wait for each other.

    Args:
        name: ``https://host/path#sha256=...``, as ``ingest.files`` has it.
        cache: folder for downloads.

    Raises:
        StageformerError: the server cannot be reached, refuses, or sends a file of another hash.
    """
    url, _, sha256 = name.partition(_HASH)
    file = cache / f"{sha256[:16]}-{Path(unquote(urlsplit(url).path)).name or 'file'}"
    if file.is_file():
        return file
    cache.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    while not file.is_file():
        with part.open("a+b") as unfinished:
            fcntl.flock(unfinished, fcntl.LOCK_EX)
            if not part.exists() or not os.path.samestat(part.stat(), os.fstat(unfinished.fileno())):
                continue  # another process has finished it meanwhile
            _download(url, unfinished)
            unfinished.seek(0)
            found = hashlib.file_digest(unfinished, "sha256").hexdigest()
            if found != sha256:
                part.unlink()
                raise StageformerError(
                    f"{url}: the file there has the sha256 {found}, and ingest.files says {sha256}; it is not the file "
                    "that was meant, or it was changed"
                )
            os.replace(part, file)
    return file


def _download(url: str, file: IO[bytes]) -> None:
    """Append to ``file`` what is missing of it. Raises StageformerError when attempts bring nothing any more."""
    say(f"ingest: downloading {url}")
    failures = 0
    while True:
        size = file.seek(0, os.SEEK_END)
        try:
            if _read(url, file, size):
                return
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and size:
                return  # nothing is left to send: the hash decides
            reason = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code != http.client.TOO_MANY_REQUESTS:
                raise StageformerError(f"{url}: {reason}; see ingest.files") from None
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", None) or error or type(error).__name__).splitlines()[0][:200]
        left = file.seek(0, os.SEEK_END)
        failures = failures + 1 if left <= size else 0
        if failures == _ATTEMPTS:
            raise StageformerError(
                f"{url}: cannot be downloaded ({reason}); is there a network? The next run resumes after "
                f"{left:,} bytes"
            )
        time.sleep(failures * _PAUSE)


def _read(url: str, file: IO[bytes], size: int) -> bool:
    """Append the bytes after the first ``size``, and return whether all of them came."""
    headers = {"User-Agent": "stageformer", "Accept-Encoding": "identity"}
    if size:
        headers["Range"] = f"bytes={size}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
        if answer.status != http.client.PARTIAL_CONTENT or not _begins_at(answer.headers["Content-Range"], size):
            file.truncate(0)  # the server sends the whole file again
        length = answer.headers["Content-Length"]
        received = 0
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            received += len(chunk)
        file.flush()
        return length is None or received == int(length)


def _begins_at(content_range: str | None, size: int) -> bool:
    return (content_range or "").startswith(f"bytes {size}-")
