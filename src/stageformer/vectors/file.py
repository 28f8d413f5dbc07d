"""Vectors from a file: text, word2vec's or fastText's binary format, or arrays of NumPy; plain or in gzip.

What a file is, its first bytes say (``format: auto``), never its name.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch

from stageformer.artifacts.answers import Answers
from stageformer.artifacts.files import first_line, reason_of
from stageformer.artifacts.reading import check_regular
from stageformer.errors import StageformerError
from stageformer.params.embed import File
from stageformer.vectors import _fasttext, _text, _word2vec
from stageformer.vectors.base import Found

_HEADER = re.compile(rb"\d+ \d+\n")
_NUMBERS = b"0123456789.+-eEnaifNAIF \t\r\n"


class FileVectors:
    """The vectors of a file; see :class:`~stageformer.vectors.base.VectorSource`.

    Args:
        path: the file
        file_format: ``auto``, ``text``, ``word2vec_bin``, ``fasttext_bin`` or ``numpy``
    """

    knows_every_text = False

    def __init__(self, path: Path, file_format: str = "auto") -> None:
        self._path = path
        self._format = file_format

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def vectors(self, words: Sequence[str]) -> Found:
        """Return the vectors of those words that the file has; of a word that occurs twice, the last.

        fastText's binary format composes a word that it does not list of its subwords.

        Raises:
            StageformerError: the file cannot be read, is cut off or of another format, or a vector is not finite; with
                the place.
        """
        with self._reporting(), _opened(self._path) as file:
            kind = self._format if self._format != "auto" else _format_of(file)
            if kind == "text":
                return _text.read(self._path, file, words)
            if kind == "word2vec_bin":
                return _word2vec.read(self._path, file, words)
            if kind == "numpy":
                return _from_arrays(self._path, file, words)
            if isinstance(file, gzip.GzipFile):
                raise StageformerError(f"{self._path}: unpack it first (gunzip): what is read of it is spread over it")
            return _fasttext.read(self._path, words)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise StageformerError(
                f"{self._path}: no such file; embed.source.path should name a file of vectors"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise StageformerError(f"{self._path}: damaged (gzip: {first_line(error)})") from None
        except OSError as error:
            raise StageformerError(f"{self._path}: cannot be read: {reason_of(error)}") from None


def open_source(params: File, answers: Answers) -> FileVectors:
    """Return the source that the parameters describe; a file asks nobody for ``answers``."""
    return FileVectors(Path(params.path), params.format)


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    """Open a file, gzip or not, whatever its name is."""
    check_regular(path)
    file = path.open("rb")
    if file.peek(2)[:2] == b"\x1f\x8b":
        file.close()
        return gzip.open(path)
    return file


def _format_of(file: IO[bytes] | gzip.GzipFile) -> str:
    start = file.peek(4096)[:4096]  # type: ignore[union-attr]  # both are buffered
    if start.startswith(_fasttext.MAGIC):
        return "fasttext_bin"
    if start.startswith(b"PK\x03\x04"):
        return "numpy"
    header = _HEADER.match(start)
    if header:
        values = start[header.end() :].lstrip(b"\n").partition(b" ")[2][:8]
        if values.translate(None, _NUMBERS):
            return "word2vec_bin"
    return "text"


def _from_arrays(path: Path, file: IO[bytes] | gzip.GzipFile, words: Sequence[str]) -> Found:
    """Read an ``.npz`` with the arrays ``words [N]``, strings, and ``vectors [N, E]``."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            known, vectors = arrays["words"], arrays["vectors"]
    except (MemoryError, OSError):
        raise
    except Exception as error:  # headers of arrays are parsed as Python's literals, which raise of many kinds
        raise StageformerError(
            f"{path}: not an .npz with the arrays words (strings) and vectors ({first_line(error)})"
        ) from None
    if known.dtype.kind != "U" or vectors.dtype.kind != "f" or vectors.ndim != 2 or known.shape != vectors.shape[:1]:
        raise StageformerError(
            f"{path}: found words {list(known.shape)} of {known.dtype} and vectors {list(vectors.shape)} of "
            f"{vectors.dtype}; needed strings [N] and floats [N, E]"
        )
    places = {word: place for place, word in enumerate(words)}
    rows = {places[word]: row for row, word in enumerate(known.tolist()) if word in places}
    found = torch.from_numpy(vectors[list(rows.values())].astype(np.float32))
    if not found.isfinite().all():
        raise StageformerError(f"{path}: a value is not finite (NaN or infinite)")
    return Found(found, list(rows))
