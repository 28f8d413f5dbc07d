"""Corpora and files of labels: everything that the stage ingest reads of the user's own."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests import families
from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import both, column, params, write

INGEST = ("stages.ingest",)
LINES = b"".join(b"one two %d\tein zwei %d\n" % (n, n) for n in range(200))
ROWS = [{"source": f"one two {n}", "target": f"ein zwei {n}", "label": f"l{n % 3}"} for n in range(200)]
PLAIN = b"".join(b"one two %d\n" % n for n in range(200))


def _source(kind: str, content: bytes, **changes: Any) -> Callable[[Path], None]:
    """Return what makes a corpus of one file the source."""
    files = {"train": ["own"], "valid": [], "test": []}
    values: dict[str, Any] = {f"ingest__files__{name}": value for name, value in files.items()}
    if kind == "tsv":
        values |= {"ingest__files__source_column": "1", "ingest__files__target_column": "2"}
    return both(write("own", content), params(ingest__source=kind, **values | _nested(changes)))


def _nested(changes: dict[str, Any]) -> dict[str, Any]:
    return {f"ingest__{name}": value for name, value in changes.items()}


def _jsonl(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _parquet(columns: dict[str, Any], names: list[str] | None = None) -> bytes:
    file = io.BytesIO()
    arrays = [value if isinstance(value, pa.Array) else pa.array(value) for value in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, names=names or list(columns)), file)
    return file.getvalue()


def _zip(*entries: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def _not_text() -> pa.Array:
    binary = pa.array([b"\xff\xfe"] * 200, pa.binary())
    return pa.Array.from_buffers(pa.string(), 200, binary.buffers())


TEXTS = [row["source"] for row in ROWS]
BOMB = bytes(2**28)
JSONL: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"[]\n",
    "a number": b"3\n",
    "null": b"null\n",
    "deep": b"[" * 100_000 + b"\n",
    "deep objects": b'{"source":' * 50_000 + b"\n",
    "a number of 5,000 digits": b'{"source": ' + b"9" * 5000 + b"}\n",
    "NaN": b'{"source": NaN, "target": Infinity}\n',
    "surrogates": b'{"source": "\\ud800", "target": "x"}\n',
    "lists": _jsonl([{"source": ["a"], "target": {"b": 1}}]),
    "no target": _jsonl([{"source": "a"}]),
    "empty texts": _jsonl([{"source": "", "target": " "}] * 3),
    "a key twice": b'{"source": "a", "source": "b"}\n',
    "an escape in a key": b'{"\\u001b[31m": 1}\n',
    "a line without end": b'{"source": "' + b"x" * (2**24 + 10),
    "bytes": bytes(range(256)),
    "half": _jsonl(ROWS)[:-30],
}
TSV: dict[str, bytes] = {
    "nothing": b"",
    "one column": b"a\n",
    "tabs": b"\t\t\t\n",
    "bytes": b"\xff\t\xfe\n",
    "zeros": bytes(1000),
    "a line without end": b"x" * (2**24 + 10),
    "escapes": b"\x1b[31ma\tb\x1b]0;x\x07\n",
    "only spaces": b" \t \n" * 5,
    "carriage returns": b"a\tb\rc\td\r\n",
    "all equal": b"one\tone\n" * 300,
    "UTF-16": "a\tb\n".encode("utf-16"),
    "separators of Unicode": "a\u2028b\tc\x85d\n".encode(),
}
PARQUET: dict[str, bytes] = {
    "nothing": b"",
    "text": b"text",
    "zeros": bytes(1000),
    "no rows": _parquet({"source": pa.array([], pa.string()), "target": pa.array([], pa.string())}),
    "nulls": _parquet({"source": [None] * 3, "target": ["a"] * 3}),
    "numbers": _parquet({"source": [1], "target": [2]}),
    "lists": _parquet({"source": [["a"]], "target": [["b"]]}),
    "not UTF-8": _parquet({"source": _not_text(), "target": TEXTS}),
    "a column twice": _parquet({"source": TEXTS, "a": TEXTS}, ["source", "source"]),
    "one column": _parquet({"source": TEXTS}),
    "an escape in a name": _parquet({"\x1b[31m\nforged": TEXTS}),
    "bytes": _parquet({"source": pa.array([b"\xff"] * 9), "target": pa.array([b"\xff"] * 9)}),
    "cut off": _parquet({"source": TEXTS, "target": TEXTS})[:-20],
    "a dictionary": _parquet(
        {"source": pa.array(TEXTS).dictionary_encode(), "target": pa.array(TEXTS).dictionary_encode()}
    ),
    "structs": _parquet({"source": [{"a": 1}], "target": [{"b": 1}]}),
}
PACKED: dict[str, bytes] = {
    "a cut gzip": gzip.compress(LINES)[:-20],
    "a cut bzip2": bz2.compress(LINES)[:-20],
    "a cut xz": lzma.compress(LINES)[:-20],
    "a gzip bomb": gzip.compress(BOMB),
    "a bzip2 bomb": bz2.compress(BOMB),
    "an xz bomb": lzma.compress(BOMB, preset=0),
    "a zip bomb": _zip(("a", BOMB)),
    "an empty zip": _zip(),
    "a zip of two": _zip(("a", LINES), ("b", LINES)),
    "a zip with an escape": _zip(("\x1b[31m\nforged", b"x"), ("b", b"y")),
    "gzip, then text": gzip.compress(LINES) + b"text",
    "a zip of a folder": _zip(("a/", b"")),
    "a broken gzip": b"\x1f\x8b" + b"x" * 100,
    "a broken zstd": b"\x28\xb5\x2f\xfd" + b"x" * 100,
    "a broken zip": b"PK\x03\x04" + b"x" * 100,
    "a broken xz": b"\xfd7zXZ\x00" + b"x" * 100,
    "a broken bzip2": b"BZh" + b"x" * 100,
}
RIGHT = {"a dictionary", "gzip, then text", "half"}


@attacks("corpora: formats")
def formats() -> Iterator[Attack]:
    for kind, contents in (("jsonl", JSONL), ("tsv", TSV), ("parquet", PARQUET), ("tsv", PACKED)):
        for name, content in contents.items():
            for on_bad_line in ("error", "drop") if kind != "parquet" or name == "nulls" else ("error",):
                right = anything if name in RIGHT else None
                yield Attack(f"{kind}: {name}, {on_bad_line}", INGEST,
                             _source(kind, content, on_bad_line=on_bad_line), right)  # fmt: skip
    for place in ("", "9" * 5000, "-1", "0", "99999", "\x1b[31m", "a.b.c", "1.5", "source.target"):
        for kind, content in (("tsv", LINES), ("jsonl", _jsonl(ROWS)), ("parquet", _parquet({"source": TEXTS}))):
            yield Attack(f"{kind}: column {place[:20]!r}", INGEST,
                         _source(kind, content, files__source_column=place))  # fmt: skip
    for name, files in {
        "nowhere": ["nowhere", "corpus/train.de"],
        "a folder of nothing": ["none", "none"],
        "a pattern": ["no*", "no*"],
        "a pattern of all": ["**", "**"],
        "a broken pattern": ["[", "["],
        "one file": ["corpus/train.en"],
        "empty names": ["", ""],
        "a control": ["\x1b[31m\n", "x"],
        "files of other lengths": ["corpus/train.en", "corpus/valid.de"],
        "the parameters": ["params.yaml", "dvc.yaml"],
        "an address": ["http://127.0.0.1:1/x", "http://127.0.0.1:1/y"],
        "an address with a hash": [
            f"http://127.0.0.1:1/x#sha256={'0' * 64}",
            f"http://127.0.0.1:1/y#sha256={'0' * 64}",
        ],
        "a file of the system": ["file:///etc/hostname", "x"],
        "a link to itself": ["loop", "loop"],
    }.items():

        def prepare(root: Path, files: list[str] = files) -> None:
            (root / "none").mkdir()
            (root / "loop").symlink_to("loop")
            params(ingest__files__train=files)(root)

        yield Attack(f"files: {name}", INGEST, prepare)
    for name, address in {
        "a version": {"version": "1; touch pwned"},
        "a version of dots": {"version": "../../x"},
        "a hash": {"sha256": "x"},
        "an option": {"version": "--index-url=http://127.0.0.1:1"},
    }.items():
        yield Attack(f"homeassistant: {name}", INGEST, params(ingest__source="homeassistant", **{
            f"ingest__homeassistant__{key}": value for key, value in address.items()
        }))  # fmt: skip


LABELS: dict[str, bytes] = {
    "nothing": b"",
    "fewer": b"a\n" * 3,
    "more": b"a\n" * 1000,
    "empty lines": b"\n" * 128,
    "bytes": b"\xff\n" * 128,
    "zeros": bytes(1000),
    "a line without end": b"x" * (2**24 + 10),
    "spaces": b"  \n" * 128,
    "UTF-16": ("a\n" * 128).encode("utf-16"),
    "two labels": b"a b\n" * 128,
    "escapes": b"\x1b[31mred\n" * 128,
}


@attacks("corpora: labels")
def labels() -> Iterator[Attack]:
    for kind in ("one", "several", "tags"):
        for name, content in LABELS.items():
            files = ["corpus/train.en", "corpus/train.de", "labels"]
            values = {
                "ingest__labels": kind,
                "ingest__files__train": files,
                "ingest__files__valid": [],
                "ingest__files__test": [],
            }
            # Several labels may be none, and a label may be any text.
            harmless = {"escapes": ("one", "several"), "two labels": ("one", "several", "tags"),
                        "empty lines": ("several",), "spaces": ("several",)}  # fmt: skip
            right = anything if kind in harmless.get(name, ()) else None
            yield Attack(f"{kind}: {name}", INGEST, both(write("labels", content), params(**values)), right)
        rows: dict[str, Any] = {
            "null": None,
            "a float": 1.5,
            "an object": {"a": 1},
            "nested lists": [[1]],
            "an empty list": [],
            "a list of nulls": [None],
            "an empty text": "",
            "a huge number": 10**400,
            "true": True,
            "a long text": "x" * 10**6,
        }
        for name, value in rows.items():
            content = _jsonl([row | {"label": value} for row in ROWS])
            harmless = name in ("true", "a huge number", "a long text") and kind != "tags"
            right = (
                anything
                if harmless or (kind == "several" and name in ("null", "an empty list", "an empty text"))
                else None
            )
            yield Attack(f"{kind}, jsonl: {name}", INGEST,
                         _source("jsonl", content, labels=kind, files__label_column="label"), right)  # fmt: skip


@attacks("corpora: without end")
def without_end() -> Iterator[Attack]:
    """Pipes, sockets and devices of the attack's own in place of a corpus; only root can make devices."""

    def pipe(path: Path) -> None:
        os.mkfifo(path)

    def socket(path: Path) -> None:
        os.mknod(path, stat.S_IFSOCK | 0o600)

    def device(number: int) -> Callable[[Path], None]:
        return lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, number))

    def huge(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2**33)

    makes: dict[str, Callable[[Path], None]] = {"a pipe": pipe, "a socket": socket, "a huge file": huge}
    if os.getuid() == 0:
        makes |= {"zeros without end": device(5), "random bytes without end": device(8), "a full device": device(7)}
    for name, make in makes.items():
        for kind in ("tsv", "jsonl", "parquet"):

            def prepare(root: Path, make: Callable[[Path], None] = make, kind: str = kind) -> None:
                _source(kind, b"")(root)
                (root / "own").unlink()
                make(root / "own")

            yield Attack(f"{kind}: {name}", INGEST, prepare)

        def on_lines(root: Path, make: Callable[[Path], None] = make) -> None:
            (root / "corpus/train.de").unlink()
            make(root / "corpus/train.de")

        yield Attack(f"lines: {name}", INGEST, on_lines)
        vectors = {"kind": "file", "project": "error", "pieces": "random", "path": "own", "format": "auto"}
        yield Attack(f"vectors: {name}", ("stages.embed",),
                     both(lambda root, make=make: make(root / "own"), params(embed__source=vectors)))  # fmt: skip
        if name not in ("a pipe", "a full device"):  # what another program writes is waited for; a full one is empty
            commands = (
                ("translate", "--input", "own", "--output", "o"), ("check", "--params", "own"), ("show", "own"),
                ("score", "--hypotheses", "own", "--references", "own"),
            )  # fmt: skip
            for command in commands:
                right = anything if command[0] == "show" else None  # it says that it is no file of ours, and its size
                yield Attack(f"{command[0]}: {name}", command, lambda root, make=make: make(root / "own"), right)


@attacks("corpora: long words")
def long_words() -> Iterator[Attack]:
    """Words of a million letters, equal and drawn by chance: every family learns from one and cuts it in seconds."""
    draw = random.Random(1)
    drawn = "".join(draw.choices("abcdefghij", k=100_000))
    for name, options in FAMILIES.items():
        for what, word in (("a million equal letters", "a" * 10**6), ("letters drawn by chance", drawn)):

            def prepare(root: Path, name: str = name, options: dict[str, Any] = options, word: str = word) -> None:
                params(tokenize__source=families.values(name.split()[0], **{"vocabulary_size": 300, **options}))(root)
                column(SENTENCES, "source", lambda texts: [*texts[:-1], word])(root)

            right = anything if name != "sentencepiece" else None
            yield Attack(f"{name}: {what}", ("stages.tokenize",), prepare, right)


SENTENCES = "data/ingest/train.parquet"
FAMILIES: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in ("bpe", "byte_bpe", "unigram", "wordpiece", "word", "char", "none", "sentencepiece")},
    **{f"cut {subwords}": {"subwords": subwords} for subwords in ("bpe", "unigram", "wordpiece")},
    "cut none": {"subwords": "none", "vocabulary_size": None},
}
