"""Vectors in text, as word2vec, fastText and GloVe write them: ``word value value ...`` a line.

A first line of two whole numbers is a header, number of vectors and width (word2vec, fastText). A word may hold blanks
(GloVe has ``. . .``): the last E fields of a line are its values. Blanks at the end of a line are left out (fastText).
Only the bytes of the words are compared, and only the values of those that are wanted are read.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import torch

from stageformer.errors import StageformerError
from stageformer.vectors.base import Found

LONGEST_LINE = 2**20
"""Bytes; a longer line does not hold a vector."""

_BLOCK = 2**21
_LINES_FOR_THE_WIDTH = 1000


def read(path: Path, file: IO[bytes] | gzip.GzipFile, words: Sequence[str]) -> Found:
    """Return the vectors of those words that the file has.

    Raises:
        StageformerError: a line is no word with its numbers, or the file ends too early; with file and line.
    """
    blocks = _blocks(path, file)
    number, lines = next(blocks, (1, []))
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff".encode())
    fields = _stripped(lines[0]).split(b" ") if lines else []
    has_header = len(fields) == 2 and all(field.isdigit() and len(field) < 19 for field in fields)
    # A word that holds blanks has more fields than its vector has values; most words hold none.
    sample = [_stripped(line).count(b" ") for line in lines[has_header:_LINES_FOR_THE_WIDTH] if line]
    width = int(fields[1]) if has_header else max(sorted(set(sample)), key=sample.count, default=0)
    if not width and (sample or has_header):
        raise StageformerError(f"{path}:{number}: not a line of word and numbers")
    places = {word.encode(): place for place, word in enumerate(words)}
    firsts = {word.split(b" ", 1)[0] for word in places}
    found: dict[int, list[float]] = {}
    last = number + len(lines)
    for first, block in _chained((number, lines), blocks):
        skip = has_header and first == 1
        for index, line in enumerate(block[skip:], first + skip):
            if line.partition(b" ")[0] in firsts:
                word, *values = _stripped(line).rsplit(b" ", width)
                if len(values) != width:
                    raise StageformerError(f"{path}:{index}: {len(values)} values, but other vectors have {width}")
                if (place := places.get(word)) is not None:
                    found[place] = _numbers(path, index, values)
        last = first + len(block)
    num_vectors = last - number - has_header
    if has_header and num_vectors < int(fields[0]):
        raise StageformerError(f"{path}: cut off: {num_vectors:,} vectors, but the first line says {int(fields[0]):,}")
    return Found(torch.tensor(list(found.values())).view(len(found), width), list(found))


def _chained(
    first: tuple[int, list[bytes]], others: Iterator[tuple[int, list[bytes]]]
) -> Iterator[tuple[int, list[bytes]]]:
    yield first
    yield from others


def _stripped(line: bytes) -> bytes:
    return line.rstrip(b" \r")


def _numbers(path: Path, number: int, values: list[bytes]) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except ValueError as error:
        raise StageformerError(f"{path}:{number}: not a line of word and numbers ({error})") from None
    # A double that float32 cannot hold would become infinite.
    if not all(math.isfinite(value) and abs(value) < 3.4e38 for value in numbers):
        raise StageformerError(f"{path}:{number}: a value is not finite (NaN or infinite)")
    return numbers


def _blocks(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the lines of the file, many at a time, with the number of the first of them; tabs are blanks."""
    number, rest = 1, b""
    while block := file.read(_BLOCK):
        whole, feed, rest_of_block = block.rpartition(b"\n")
        if not feed:
            rest += block
        else:
            lines = _decodable(path, number, rest + whole)
            yield number, lines
            number += len(lines)
            rest = rest_of_block
        if len(rest) >= LONGEST_LINE:
            raise StageformerError(
                f"{path}:{number}: longer than {LONGEST_LINE:,} bytes; this is not a file of vectors"
            )
    if rest:
        yield number, _decodable(path, number, rest)


def _decodable(path: Path, number: int, text: bytes) -> list[bytes]:
    """Return the lines of a text, after a check that they are UTF-8: words of other encodings would not be found."""
    lines = text.replace(b"\t", b" ").split(b"\n")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            line = number + text.count(b"\n", 0, error.start)
            place = error.start - text.rfind(b"\n", 0, error.start)
            raise StageformerError(
                f"{path}:{line}: byte 0x{text[error.start]:02x} at {place} is not UTF-8; convert the file, as with "
                "`iconv -f latin1 -t utf-8`"
            ) from None
    return lines
