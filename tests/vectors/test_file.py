"""Vectors from the text files of word2vec, fastText and GloVe, and what is wrong with those that are none."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from stageformer.errors import StageformerError
from stageformer.vectors import file as module
from stageformer.vectors.file import FileVectors

TOKENS = ["<pad>", "the", "größer", ". . .", "7", "absent"]
VECTORS = {"größer": [0.5, -1.25, 3.0], ". . .": [1.0, 0.0, 0.25], "the": [-0.125, 2.5, 1e-3], "7": [7.0, 8.0, 9.0]}


def lines(end: str = "\n", separator: str = " ") -> str:
    return "".join(f"{token}{separator}{separator.join(map(str, v))}{end}" for token, v in VECTORS.items())


def found(path: Path, width: int = 3) -> dict[str, list[float]]:
    result = FileVectors(path, width).vectors(TOKENS)
    assert result.num_tokens == len(TOKENS)
    assert result.coverage == len(result.rows) / len(TOKENS)
    assert result.vectors.shape == (len(result.rows), width)
    return {TOKENS[row]: vector for row, vector in zip(result.rows, result.vectors.tolist(), strict=True)}


EXPECTED = {token: torch.tensor(vector).tolist() for token, vector in VECTORS.items()}


@pytest.mark.parametrize(
    "content",
    [
        lines(),  # GloVe: no header, and a token that holds blanks
        f"4 3\n{lines()}",  # word2vec
        f"4 3\n{lines(end=' ' + chr(10))}",  # fastText: a blank at the end of every line
        f"\ufeff{lines()}",
        lines(end="\r\n"),
        lines(separator="\t"),
        lines()[:-1],  # no line feed at the end
    ],
    ids=["glove", "word2vec", "fasttext", "byte order mark", "windows", "tabs", "no last line feed"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_the_usual_formats(tmp_path: Path, content: str, packed: bool) -> None:
    path = tmp_path / "vectors.txt"  # gzip is known by its first bytes, not by its name
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert found(path) == EXPECTED


def test_tokens_that_look_like_numbers_headers_or_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1 2 3\n3 2 1\n", encoding="utf-8")  # three fields are a vector of two, and no header
    result = FileVectors(path, 2).vectors(["1", "3", "2"])
    assert (result.rows, result.vectors.tolist()) == ([0, 1], [[2.0, 3.0], [2.0, 1.0]])
    path.write_text("a\u2028b 1.5 2.5\n\u0085 3.5 4.5\n", encoding="utf-8")
    result = FileVectors(path, 2).vectors(["\u0085", "a\u2028b"])
    assert (result.rows, result.vectors.tolist()) == ([1, 0], [[1.5, 2.5], [3.5, 4.5]])


def test_the_last_of_two_vectors_of_a_token_counts(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("the 1 1 1\n7 2 2 2\nthe 3 3 3\n", encoding="utf-8")
    assert found(tmp_path / "x") == {"the": [3.0] * 3, "7": [2.0] * 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3\n7 1 2 3\n", ":1: 3 values, but embed.d_model is 4"),
        (b"2 3\nthe 1 2 3\n", ":1: 3 values, but embed.d_model is 4"),
        (b"the 1 2 3 4 5 6\n. . . 1 2 3 4 5 6\n", ":1: 6 values, but embed.d_model is 4"),
        (b"the 1 2 3 4\n7 1 2 3\nabsent 1 2 3 4\n", ":2: 3 values, but embed.d_model is 4"),
        (b"the 1 2 3 4\n7 1 2 x 4\n", ":2: not a line of token and numbers (could not convert string to float: 'x')"),
        (b"the 1 2 3 4\n7 1 nan 3 4\n", ":2: a value is not finite (NaN or infinite)"),
        (b"the 1 2 3 -inf\n", ":1: a value is not finite (NaN or infinite)"),
        (b"the 1 2 3 1e999\n", ":1: a value is not finite (NaN or infinite)"),
        (
            b"the 1 2 3 4\ngr\xf6\xdfer 1 2 3 4\n",
            ":2: byte 0xf6 at 3 is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`",
        ),
        (
            b"\xe4 1 2 3 4\n",
            ":1: byte 0xe4 at 1 is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`",
        ),
        (gzip.compress(b"the 1 2 3 4\n", mtime=0)[:-6], ": damaged after line 1 (gzip: "),
        (b"\x1f\x8bno gzip", ": damaged after line 0 (gzip: "),
        (bytes(5000), ":1: longer than 1,000 bytes; this is not a file of vectors"),
        (gzip.compress(bytes(10**7), mtime=0), ":1: longer than 1,000 bytes; this is not a file of vectors"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    path = tmp_path / "vectors.vec"
    path.write_bytes(content)
    with pytest.raises(StageformerError) as caught:
        FileVectors(path, 4).vectors(TOKENS)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"none: no such file; embed\.pretrained should name a file of word vec"):
        FileVectors(tmp_path / "none", 4).vectors(TOKENS)
    with pytest.raises(StageformerError, match="cannot be read: is a directory"):
        FileVectors(tmp_path, 4).vectors(TOKENS)


def test_an_empty_file_and_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert found(tmp_path / "x") == {}
    (tmp_path / "x").write_text(lines(), encoding="utf-8")
    assert FileVectors(tmp_path / "x", 3).vectors([]).coverage == 1.0


def test_a_file_without_end_is_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(StageformerError, match=r"/dev/zero:1: longer than 1,048,576 bytes"):
        FileVectors(Path("/dev/zero"), 4).vectors(TOKENS)
    assert time.monotonic() - started < 5


def test_numbers_are_those_of_python(tmp_path: Path) -> None:
    """Decimal to double to float32, as a reader in Python does it."""
    numbers = np.random.default_rng(0).normal(size=(50, 20))
    text = [f"t{row} " + " ".join(f"{x:.7f}" for x in vector) for row, vector in enumerate(numbers)]
    (tmp_path / "x").write_text("\n".join(text), encoding="utf-8")
    result = FileVectors(tmp_path / "x", 20).vectors([f"t{row}" for row in range(50)])
    expected = torch.tensor([[float(x) for x in line.split(" ")[1:]] for line in text])
    assert torch.equal(result.vectors, expected)
