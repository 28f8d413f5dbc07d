"""Vectors from a text file, as word2vec, fastText and GloVe write them, also in gzip: ``token value value ...`` a line.

A first line of two whole numbers is a header, number of vectors and width (word2vec, fastText). A token may hold blanks
(GloVe has ``. . .``): the last E fields of a line are its values. Blanks at the end of a line are left out (fastText).
"""

from __future__ import annotations

import gzip
import itertools
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import torch

from stageformer.artifacts.files import first_line, reason_of
from stageformer.errors import StageformerError
from stageformer.vectors.base import Found

LONGEST_LINE = 2**20
"""Bytes; a longer line does not hold a vector."""

_LINES_FOR_THE_WIDTH = 1000


class FileVectors:
    """The vectors of a file; see :class:`~stageformer.vectors.base.VectorSource`.

    Args:
        path: the file
        width: E, which the vectors of the file must have
    """

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        self._width = width

    def vectors(self, tokens: Sequence[str]) -> Found:
        """Return the vectors of those tokens that the file has; of a token that occurs twice, the last.

        Raises:
            StageformerError: the file cannot be read, a line is not a token and its numbers, or the vectors have
                another width; with file and line.
        """
        places = {token: place for place, token in enumerate(tokens)}
        found: dict[int, list[float]] = {}
        for number, token, values in self._lines():
            if (place := places.get(token)) is not None:
                found[place] = self._numbers(number, values)
        return Found(torch.tensor(list(found.values())).view(len(found), self._width), list(found), len(tokens))

    def _lines(self) -> Iterator[tuple[int, str, list[str]]]:
        """Yield number, token and values of each line that is not the header."""
        lines = self._texts()
        first = list(itertools.islice(lines, _LINES_FOR_THE_WIDTH))
        if first and (fields := first[0][1].split(" ")) and len(fields) == 2 and all(map(str.isdecimal, fields)):
            del first[0]
            self._check_width(1, int(fields[1]))
        elif first:
            # A token that holds blanks has more fields than its vector has values; the shortest line has none.
            number, text = min(first, key=lambda line: line[1].count(" "))
            self._check_width(number, text.count(" "))
        for number, text in itertools.chain(first, lines):
            token, *values = text.rsplit(" ", self._width)
            self._check_width(number, len(values))
            yield number, token, values

    def _check_width(self, number: int, width: int) -> None:
        if width != self._width:
            raise StageformerError(f"{self._path}:{number}: {width} values, but embed.d_model is {self._width}")

    def _numbers(self, number: int, values: list[str]) -> list[float]:
        try:
            numbers = [float(value) for value in values]
        except ValueError as error:
            raise StageformerError(f"{self._path}:{number}: not a line of token and numbers ({error})") from None
        if not all(map(math.isfinite, numbers)):
            raise StageformerError(f"{self._path}:{number}: a value is not finite (NaN or infinite)")
        return numbers

    def _texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of each line."""
        number = 0
        try:
            with _opened(self._path) as file:
                while line := file.readline(LONGEST_LINE):
                    number += 1
                    if len(line) == LONGEST_LINE:
                        raise StageformerError(
                            f"{self._path}:{number}: longer than {LONGEST_LINE:,} bytes; this is not a file of vectors"
                        )
                    text = line.decode().replace("\t", " ").rstrip(" \r\n")
                    yield number, text.removeprefix("\ufeff") if number == 1 else text
        except UnicodeDecodeError as error:
            byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
            raise StageformerError(
                f"{self._path}:{number}: {byte} is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`"
            ) from None
        except FileNotFoundError:
            raise StageformerError(
                f"{self._path}: no such file; embed.pretrained should name a file of word vectors"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise StageformerError(f"{self._path}: damaged after line {number} (gzip: {first_line(error)})") from None
        except OSError as error:
            raise StageformerError(f"{self._path}: cannot be read: {reason_of(error)}") from None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    """Open a file, gzip or not, whatever its name is."""
    file = path.open("rb")
    if file.peek(2)[:2] == b"\x1f\x8b":
        file.close()
        return gzip.open(path)
    return file
