"""Vectors from files of every format, against gensim, and what is wrong with those that hold none."""

from __future__ import annotations

import gzip
import os
import struct
import time
from pathlib import Path

import gensim
import numpy as np
import pytest
import torch

from stageformer.errors import StageformerError
from stageformer.vectors import _text
from stageformer.vectors.file import FileVectors

TOKENS = ["<pad>", "the", "größer", ". . .", "7", "absent"]
VECTORS = {"größer": [0.5, -1.25, 3.0], ". . .": [1.0, 0.0, 0.25], "the": [-0.125, 2.5, 1e-3], "7": [7.0, 8.0, 9.0]}


def lines(end: str = "\n", separator: str = " ") -> str:
    return "".join(f"{token}{separator}{separator.join(map(str, v))}{end}" for token, v in VECTORS.items())


def found(path: Path, kind: str = "auto", words: list[str] = TOKENS) -> dict[str, list[float]]:
    result = FileVectors(path, kind).vectors(words)
    assert len(result.vectors) == len(result.rows)
    assert not result.composed
    return {words[row]: vector for row, vector in zip(result.rows, result.vectors.tolist(), strict=True)}


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
@pytest.mark.parametrize("block", [200, 1 << 20])
def test_the_usual_formats_of_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, packed: bool, block: int
) -> None:
    monkeypatch.setattr(_text, "_BLOCK", block)
    path = tmp_path / "vectors.txt"  # gzip is known by its first bytes, not by its name
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert found(path) == EXPECTED


def test_tokens_that_look_like_numbers_headers_or_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1 2 3\n3 2 1\n", encoding="utf-8")  # three fields are a vector of two, and no header
    result = FileVectors(path).vectors(["1", "3", "2"])
    assert (result.rows, result.vectors.tolist()) == ([0, 1], [[2.0, 3.0], [2.0, 1.0]])
    path.write_text("a\u2028b 1.5 2.5\n\u0085 3.5 4.5\n", encoding="utf-8")
    result = FileVectors(path).vectors(["\u0085", "a\u2028b"])
    assert (result.rows, result.vectors.tolist()) == ([1, 0], [[1.5, 2.5], [3.5, 4.5]])


def test_the_last_of_two_vectors_of_a_token_counts(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("the 1 1 1\n7 2 2 2\nthe 3 3 3\n", encoding="utf-8")
    assert found(tmp_path / "x") == {"the": [3.0] * 3, "7": [2.0] * 3}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> gensim.models.KeyedVectors:
    """Two hundred words with vectors of gensim's."""
    vectors = gensim.models.KeyedVectors(20)
    names = [f"wörd{n}" for n in range(199)] + ["7.5"]
    vectors.add_vectors(names, np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32))
    return vectors


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_is_read_as_gensim_reads_it(
    tmp_path: Path, keyed: gensim.models.KeyedVectors, binary: bool, packed: bool
) -> None:
    path = tmp_path / ("vectors.gz" if packed else "vectors")  # gensim packs by the name
    keyed.save_word2vec_format(str(path), binary=binary)
    reference = gensim.models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    words = ["wörd7", "absent", "7.5", "wörd0"]
    explicit = "word2vec_bin" if binary else "text"
    for kind in ("auto", explicit):
        read = found(path, kind, words)
        assert read == {word: reference[word].tolist() for word in words if word != "absent"}


def test_arrays_of_numpy(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", words=np.array(list(VECTORS)), vectors=np.array(list(VECTORS.values())))
    assert found(tmp_path / "x.npz") == EXPECTED
    np.savez(tmp_path / "y.npz", vectors=np.zeros((2, 2)))
    with pytest.raises(StageformerError, match=r"y.npz: not an .npz with the arrays words \(strings\) and vectors"):
        found(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", words=np.array(["a"]), vectors=np.zeros((2, 2)))
    with pytest.raises(StageformerError, match=r"found words \[1\] of <U1 and vectors \[2, 2\] of float64; needed"):
        found(tmp_path / "z.npz")


@pytest.fixture(scope="module")
def fasttext(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained here, in fastText's own format."""
    text = [f"der größere Garten {n % 7} hat einen Zaun".split() for n in range(60)]
    model = gensim.models.FastText(text, vector_size=12, min_count=1, epochs=2, bucket=500, seed=3, workers=1)
    path = tmp_path_factory.mktemp("fasttext") / "model.bin"
    gensim.models.fasttext.save_facebook_model(model, str(path))
    return path


def test_fasttext_composes_words_that_it_does_not_list(fasttext: Path) -> None:
    reference = gensim.models.fasttext.load_facebook_vectors(str(fasttext))
    words = ["größere", "Gärten", "Zaun", "größer", "7", "ß", "日本"]
    result = FileVectors(fasttext).vectors(words)
    assert result.rows == list(range(7))
    assert {words[row] for row in result.composed} == {"Gärten", "größer", "7", "ß", "日本"}
    for word, vector in zip(words, result.vectors.numpy(), strict=True):
        assert vector == pytest.approx(reference[word], rel=1e-5, abs=1e-7), word


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (10, "cut off: it has no vectors"),
        (80, "cut off: it has no vectors"),
        (-400, None),
        (2000, "cut off: 51"),
    ],
)
def test_fasttext_that_is_cut_off(fasttext: Path, tmp_path: Path, cut: int, message: str | None) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(fasttext.read_bytes()[:cut])
    if message is None:  # the matrix at the end of the file is that of the training, which nobody needs
        assert FileVectors(path).vectors(["Zaun"]).rows == [0]
        return
    with pytest.raises(StageformerError, match=message):
        FileVectors(path).vectors(["Zaun"])


def test_a_quantised_fasttext_and_one_in_gzip_are_refused(fasttext: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(gzip.compress(fasttext.read_bytes()))
    with pytest.raises(StageformerError, match=r"x.bin: unpack it first \(gunzip\)"):
        FileVectors(path).vectors(["Zaun"])
    head = struct.pack("<2i", 793712314, 12) + struct.pack("<12id", *[1] * 12, 0.1)
    path.write_bytes(head + struct.pack("<3i2q", 0, 0, 0, 0, 0) + b"\x01" + bytes(100))
    with pytest.raises(StageformerError, match=r"quantised; take the model that is not \(.bin rather than .ftz\)"):
        FileVectors(path).vectors(["Zaun"])
    path.write_bytes(struct.pack("<2i", 793712314, 11) + bytes(100))
    with pytest.raises(StageformerError, match="version 11 of fastText's format; needed 12"):
        FileVectors(path).vectors(["Zaun"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3 4\n7 1 2 3\nabsent 1 2 3 4\n", ":2: 3 values, but other vectors have 4"),
        (b"2 4\nthe 1 2 3 4\n7 1 2 3\n", ":3: 3 values, but other vectors have 4"),
        (b"the 1 2 3 4\n7 1 2 x 4\n", ":2: not a line of word and numbers (could not convert string to float: b'x')"),
        (b"the\n7\n", ":1: not a line of word and numbers"),
        (b"the 1 2 3 4\n7 1 nan 3 4\n", ":2: a value is not finite (NaN or infinite)"),
        (b"the 1 2 3 -inf\n", ":1: a value is not finite (NaN or infinite)"),
        (b"the 1 2 3 1e999\n", ":1: a value is not finite (NaN or infinite)"),
        (b"the 1 2 3 1e39\n", ":1: a value is not finite (NaN or infinite)"),
        (
            b"the 1 2 3 4\ngr\xf6\xdfer 1 2 3 4\n",
            ":2: byte 0xf6 at 3 is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`",
        ),
        (
            b"\xe4 1 2 3 4\n",
            ":1: byte 0xe4 at 1 is not UTF-8; convert the file, as with `iconv -f latin1 -t utf-8`",
        ),
        (b"3 2\nthe 1 2\n7 3 4\n", ": cut off: 2 vectors, but the first line says 3"),
        (gzip.compress(b"the 1 2 3 4\n", mtime=0)[:-6], ": damaged (gzip: "),
        (b"\x1f\x8bno gzip", ": damaged (gzip: "),
        (bytes(5000), ":1: longer than 1,000 bytes; this is not a file of vectors"),
        (gzip.compress(bytes(10**7), mtime=0), ":1: longer than 1,000 bytes; this is not a file of vectors"),
        (b"9 2\n7 \xff\x01\x02\x03\xff\x05\x06\x07", ": cut off or damaged after 1 of 9 vectors"),
        (b"1 2\n7 \x00\x00\xc0\x7f\x00\x00\xc0\x7f", ": a value is not finite (NaN or infinite)"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(_text, "LONGEST_LINE", 1000)
    path = tmp_path / "vectors.vec"
    path.write_bytes(content)
    with pytest.raises(StageformerError) as caught:
        FileVectors(path).vectors(TOKENS)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        StageformerError, match=r"none: no such file; embed\.source\.path should name a file of vectors"
    ):
        FileVectors(tmp_path / "none").vectors(TOKENS)
    with pytest.raises(StageformerError, match="cannot be read: is a directory"):
        FileVectors(tmp_path).vectors(TOKENS)


def test_an_empty_file_and_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert found(tmp_path / "x") == {}
    (tmp_path / "x").write_text(lines(), encoding="utf-8")
    assert FileVectors(tmp_path / "x").vectors([]).rows == []


def test_a_file_without_end_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(2**33)
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    with pytest.raises(StageformerError, match=r"/zeros:1: longer than 1,048,576 bytes"):
        FileVectors(tmp_path / "zeros").vectors(TOKENS)
    with pytest.raises(StageformerError, match=r"/pipe: found a pipe, needed a file"):
        FileVectors(tmp_path / "pipe").vectors(TOKENS)
    assert time.monotonic() - started < 5


def test_numbers_are_those_of_python(tmp_path: Path) -> None:
    """Decimal to double to float32, as a reader in Python does it."""
    numbers = np.random.default_rng(0).normal(size=(50, 20))
    text = [f"t{row} " + " ".join(f"{x:.7f}" for x in vector) for row, vector in enumerate(numbers)]
    (tmp_path / "x").write_text("\n".join(text), encoding="utf-8")
    result = FileVectors(tmp_path / "x").vectors([f"t{row}" for row in range(50)])
    expected = torch.tensor([[float(x) for x in line.split(" ")[1:]] for line in text])
    assert torch.equal(result.vectors, expected)
