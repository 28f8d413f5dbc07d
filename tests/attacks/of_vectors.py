"""Files of vectors, servers of vectors that answer anything, and recorded answers."""

from __future__ import annotations

import gzip
import io
import json
import socket
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.attacks.harness import Attack, anything, attacks
from tests.attacks.making import both, bytes_of, column, params, table, write

EMBED = ("stages.embed",)
WIDTH = 16
_VALUES = " ".join(["0.5"] * WIDTH)
_FLOATS = np.full(WIDTH, 0.5, "<f4").tobytes()


def _file(content: bytes | str, form: str = "auto") -> Callable[[Path], None]:
    source = {"kind": "file", "project": "error", "pieces": "random", "path": "vectors", "format": form}
    return both(write("vectors", content), params(embed__source=source))


def _fasttext(**changes: int) -> bytes:
    """Return the head of a model of fastText with one word, and its matrix."""
    head = {
        "version": 12,
        "width": WIDTH,
        "buckets": 0,
        "size": 1,
        "words": 1,
        "pruned": 0,
        "rows": 1,
        "columns": WIDTH,
    }
    head |= changes
    numbers = [head["width"], 1, 1, 1, 1, 1, 1, 1, head["buckets"], 3, 6, 0]
    dictionary = (
        struct.pack("<3i2q", head["size"], head["words"], 0, 1, head["pruned"]) + b"one\0" + struct.pack("<qb", 1, 0)
    )
    matrix = struct.pack("<?", head.get("quantised", 0)) + struct.pack("<2q", head["rows"], head["columns"])
    return struct.pack("<2i12id", 793712314, head["version"], *numbers, 0.1) + dictionary + matrix + _FLOATS


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy_header(text: str) -> bytes:
    """Return an ``.npz`` whose array of words has this header."""
    header = text.encode().ljust(118) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("words.npy", content)
        archive.writestr("vectors.npy", content)
    return file.getvalue()


FILES: dict[str, bytes | str] = {
    "nothing": b"",
    "a line feed": b"\n",
    "one word": "one",
    "a header alone": f"1 {WIDTH}\n",
    "text": "one two three\n",
    "a header of 5,000 digits": "9" * 5000 + " 3\none 1 2 3\n",
    "a huge header": f"{10**15} {10**15}\none {_VALUES}\n",
    "more vectors promised": f"3 {WIDTH}\none {_VALUES}\n",
    "width 0": "1 0\none\n",
    "not a number": f"one {_VALUES} \ntwo {'x ' * WIDTH}\none {'x ' * WIDTH}\n",
    "NaN": f"one {'nan ' * WIDTH}\n▁one {'nan ' * WIDTH}\n" * 3,
    "infinite": f"one {'inf ' * WIDTH}\n▁one {'1e999 ' * WIDTH}\n",
    "an underscored number": f"one {'1_0 ' * WIDTH}\n▁one {'1_0 ' * WIDTH}\n",
    "other widths": f"one {_VALUES}\none {_VALUES} 1\n▁one 3\n",
    "a line without end": b"one " + b"1" * 2**22,
    "bytes": bytes(range(256)) * 40,
    "zeros": bytes(10_000),
    "an escape": f"\x1b[31mred {_VALUES}\n\x1b[31mred 3\n" * 2,
    "another width": "▁one 1 2 3\none 1 2 3\n",
    "a pickle": b"cos\nsystem\n(S'touch pwned'\ntR.",
    "a word2vec file cut off": f"3 {WIDTH}\n".encode() + b"one " + _FLOATS,
    "a huge word2vec file": f"{10**12} {10**9}\n".encode() + b"\xff\xfe " + _FLOATS,
    "a fastText file cut off": _fasttext()[:60],
    "fastText of another version": _fasttext(version=99),
    "fastText of 10^9 words": _fasttext(words=10**9, size=10**9),
    "fastText of 10^12 rows": _fasttext(rows=10**12),
    "fastText below zero": _fasttext(rows=-1, columns=-1, width=-1, size=-1, words=-1),
    "quantised": _fasttext(quantised=1),
    "fastText of other columns": _fasttext(columns=3),
    "fastText of 10^15 pruned": _fasttext(pruned=10**15),
    "an npz of other arrays": _npz(a=np.zeros(3)),
    "an npz of objects": _npz(words=np.array([{}], object), vectors=np.zeros((1, WIDTH), "f4")),
    "an npz of other lengths": _npz(words=np.array(["one"]), vectors=np.zeros((2, WIDTH), "f4")),
    "an npz of texts": _npz(words=np.array(["▁one"]), vectors=np.array([["x"] * WIDTH])),
    "an npz of NaN": _npz(words=np.array(["one", "▁one"]), vectors=np.full((2, WIDTH), np.nan, "f4")),
    "an npz of complex numbers": _npz(words=np.array(["one"]), vectors=np.zeros((1, WIDTH), "c8")),
    "an npz of an absurd shape": _npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,)}"),
    "an npz of a huge shape": _npy_header(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000)}"
    ),
    "an npz that is code": _npy_header("__import__('os').system('touch pwned')"),
    "an npz that is deep": _npy_header("[" * 100),
    "a zip of nothing": b"PK\x03\x04" + bytes(30),
    "a cut gzip": gzip.compress(f"one {_VALUES}\n".encode() * 1000)[:50],
    "a gzip of a line without end": gzip.compress(bytes(2**26)),
    "a gzip of fastText": gzip.compress(_fasttext()),
    "a gzip of a gzip": gzip.compress(gzip.compress(f"one {_VALUES}\n".encode())),
}


@attacks("vectors: files")
def files() -> Iterator[Attack]:
    for name, content in FILES.items():
        # A file without any of our words is one that helps nobody, and no mistake that a machine could see.
        useless = name in ("nothing", "a line feed", "an escape", "an underscored number", "text")
        yield Attack(name, EMBED, _file(content), anything if useless else None)
    for form in ("text", "word2vec_bin", "fasttext_bin", "numpy"):
        for name in (
            "nothing",
            "text",
            "zeros",
            "bytes",
            "a pickle",
            "NaN",
            "a zip of nothing",
            "quantised",
            "a cut gzip",
        ):
            content = FILES[name]
            lenient = (form == "text" and name not in ("a cut gzip", "NaN")) or name == "nothing"
            yield Attack(f"{form}: {name}", EMBED, _file(content, form), anything if lenient else None)
    for name, path in {
        "a folder": "data",
        "the file itself": "params.yaml",
        "nowhere": "nowhere",
        "nothing": "",
    }.items():
        source = {"kind": "file", "project": "error", "pieces": "random", "path": path, "format": "auto"}
        yield Attack(f"a path: {name}", EMBED, params(embed__source=source))
    for name, path in {"a folder": "data", "nowhere": "nowhere", "a file": "params.yaml"}.items():
        model = {"kind": "model", "project": "error", "path": path, "layer": "last"}
        yield Attack(f"a model: {name}", EMBED, params(embed__source=model), memory=8 * 2**30)


def _answer(
    status: str, body: bytes, headers: str = "Content-Type: application/json\r\n", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode() + body


def _vectors(vector: list[Any], number: int, **changes: Any) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": vector, **changes} for index in range(number)]
    return json.dumps({"object": "list", "data": data, "model": "m"}).encode()


Answer = Callable[[int], bytes]
"""From the number of texts asked for to what the server sends."""
FINE = [0.5] * WIDTH
SERVERS: dict[str, Answer] = {
    "nothing": lambda n: b"",
    "no HTTP": lambda n: b"hello\r\n\r\n",
    "zeros": lambda n: bytes(10_000),
    "a status alone": lambda n: b"HTTP/1.1 200 OK\r\n\r\n",
    "no JSON": lambda n: _answer("200 OK", b"<html>"),
    "a list": lambda n: _answer("200 OK", b"[]"),
    "null": lambda n: _answer("200 OK", b"null"),
    "an empty object": lambda n: _answer("200 OK", b"{}"),
    "data null": lambda n: _answer("200 OK", b'{"data": null}'),
    "data text": lambda n: _answer("200 OK", b'{"data": "x"}'),
    "data numbers": lambda n: _answer("200 OK", b'{"data": [1]}'),
    "deep JSON": lambda n: _answer("200 OK", b"[" * 100_000),
    "an index that is text": lambda n: _answer("200 OK", _vectors(FINE, n, index="x")),
    "no index": lambda n: _answer("200 OK", _vectors(FINE, n, index=None)),
    "a width less": lambda n: _answer("200 OK", _vectors(FINE[1:], n)),
    "no width": lambda n: _answer("200 OK", _vectors([], n)),
    "NaN": lambda n: _answer("200 OK", _vectors([float("nan")] * WIDTH, n)),
    "infinity": lambda n: _answer("200 OK", _vectors([float("inf")] * WIDTH, n)),
    "10^400": lambda n: _answer("200 OK", _vectors(FINE, n).replace(b"0.5", b"1" + b"0" * 400)),
    "1e39": lambda n: _answer("200 OK", _vectors([1e39] * WIDTH, n)),
    "all zero": lambda n: _answer("200 OK", _vectors([0] * WIDTH, n)),
    "texts": lambda n: _answer("200 OK", _vectors(["x"] * WIDTH, n)),
    "lists": lambda n: _answer("200 OK", _vectors([[1]] * WIDTH, n)),
    "nulls": lambda n: _answer("200 OK", _vectors([None] * WIDTH, n)),
    "embedding null": lambda n: _answer("200 OK", _vectors(FINE, n, embedding=None)),
    "base64": lambda n: _answer("200 OK", _vectors(FINE, n, embedding="AAAA")),
    "one less": lambda n: _answer("200 OK", _vectors(FINE, n - 1)),
    "one more": lambda n: _answer("200 OK", _vectors(FINE, n + 1)),
    "a number of 5,000 digits": lambda n: _answer("200 OK", _vectors(FINE, n).replace(b"0.5", b"9" * 5000)),
    "not UTF-8": lambda n: _answer("200 OK", b"\xff\xfe{"),
    "less than promised": lambda n: _answer("200 OK", b"{}", length=1000),
    "a billion promised": lambda n: _answer("200 OK", b"{}", length=10**18),
    "a length below zero": lambda n: _answer("200 OK", b"{}", length=-5),
    "gzip that is none": lambda n: _answer(
        "200 OK", b"xx", "Content-Encoding: gzip\r\nContent-Type: application/json\r\n"
    ),
    "a bomb": lambda n: _answer(
        "200 OK", gzip.compress(bytes(2**30), 1), "Content-Encoding: gzip\r\nContent-Type: application/json\r\n"
    ),
    "400 with escapes": lambda n: _answer("400 Bad", b"\x1b[31mred\nerror: forged\xff"),
    "401": lambda n: _answer("401 No", b"{}"),
    "404 with a page": lambda n: _answer("404 No", b"<html>" + b"x" * 10**6),
    "418": lambda n: _answer("418 Tea", b"null"),
    "a redirect to itself": lambda n: _answer("302 There", b"", "Location: /v1/embeddings\r\n"),
    "a redirect to a file": lambda n: _answer("302 There", b"", "Location: file:///etc/hostname\r\n"),
    "a redirect to nothing": lambda n: _answer("307 There", b"", "Location: \r\n"),
    "a redirect to a closed port": lambda n: _answer("301 There", b"", "Location: http://127.0.0.1:1/x\r\n"),
    "a redirect that is none": lambda n: _answer("302 There", b"", "Location: \x1b[31m://\xff\r\n"),
    "headers without end": lambda n: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
    "a header with an escape": lambda n: _answer("200 \x1b[31mRED", b"{"),
    "status 99999": lambda n: _answer("99999 X", b"{}"),
    "chunks that are none": lambda n: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx",
    "429, wait for ever": lambda n: _answer("429 Slow", b"{}", "Retry-After: 1e300\r\n"),
    "503, wait till 9999": lambda n: _answer("503 Slow", b"{}", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
    "503, wait NaN": lambda n: _answer("503 Slow", b"{}", "Retry-After: nan\r\n"),
}


def _served(answer: Answer) -> Callable[[Path], None]:
    """Return what starts a server in a thread of the attacked process, on a port of its own of this machine."""

    def serve(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                received = b""
                while b"\r\n\r\n" not in received and (part := connection.recv(1 << 16)):
                    received += part
                head, _, body = received.partition(b"\r\n\r\n")
                sizes = [
                    line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
                ]
                while sizes and len(body) < int(sizes[0]) and (part := connection.recv(1 << 16)):
                    body += part
                try:
                    number = len(json.loads(body)["input"])
                except (ValueError, KeyError):
                    number = 1
                try:
                    connection.sendall(answer(number))
                except OSError:
                    continue

    def prepare(root: Path) -> None:
        import stageformer.vectors._asking as asking

        # Pauses are waited for, but this attack should not: eight tries are made at once, as if the time were over.
        asking.time.sleep = lambda seconds: None if seconds <= asking._LONGEST_PAUSE else _waits(seconds)  # type: ignore[attr-defined]
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        params(embed__source=_http(f"http://127.0.0.1:{listener.getsockname()[1]}/v1"))(root)

    return prepare


def _waits(seconds: float) -> None:
    raise AssertionError(f"would wait {seconds} seconds")


def _http(address: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "http", "project": "error", "revision": None, "base_url": address, "model": "m", "dimensions": None,
        "batch_size": 64, "api_key_variable": None, "price": None, **changes,
    }  # fmt: skip


@attacks("vectors: servers")
def servers() -> Iterator[Attack]:
    # The server and the libraries that ask are in the same process, so it needs more memory.
    for name, answer in SERVERS.items():
        # A library that is told an index that is no number sorts by it; of one that is wrong, the order is right.
        yield Attack(name, EMBED, _served(answer), anything if name == "no index" else None, memory=6 * 2**30,
                     inside=True)  # fmt: skip
    for address in ("http://127.0.0.1:1/v1", "file:///etc", "x", "", "http://", "http://[::bad", "http://127.0.0.1:99999",
                    "ftp://127.0.0.1/", "http://a\x1b[31mb/", "http://user:secret@127.0.0.1:1/v1"):  # fmt: skip

        def prepare(root: Path, address: str = address) -> None:
            import stageformer.vectors._asking as asking

            asking.time.sleep = lambda seconds: None  # type: ignore[attr-defined]
            params(embed__source=_http(address))(root)

        yield Attack(f"the address {address!r}", EMBED, prepare, memory=6 * 2**30, inside=True)
    for name in ("NO_SUCH_VARIABLE", "", "\x1b[31m", "A=B", "x" * 10_000):
        yield Attack(
            f"the variable {name[:20]!r}",
            EMBED,
            params(embed__source=_http("http://127.0.0.1:1", api_key_variable=name)),
        )
    for factory in ("os:system", "nope:Nope", "json:JSONDecoder", "json", ":", "a b:c", "os:environ", "builtins:exec"):
        source = {
            "kind": "langchain",
            "project": "error",
            "revision": None,
            "factory": factory,
            "arguments": {},
            "batch_size": 9,
        }
        yield Attack(f"the factory {factory}", EMBED, params(embed__source=source))


RECORDED: dict[str, Callable[[str], Callable[[Path], None]]] = {
    "text": lambda path: write(path, "a text"),
    "nothing": lambda path: write(path, ""),
    "a folder": lambda path: lambda root: (root / path).unlink() or (root / path).mkdir(),
    "a loop of links": lambda path: lambda root: (root / path).unlink() or (root / path).symlink_to((root / path).name),
    "cut off": lambda path: bytes_of(path, lambda data: data[: len(data) // 2]),
    "no rows": lambda path: table(path, lambda t: t.slice(0, 0)),
    "no vectors": lambda path: column(path, "vector", lambda values: [[]] * len(values)),
    "null vectors": lambda path: column(path, "vector", lambda values: [None] * len(values)),
    "nulls in vectors": lambda path: column(path, "vector", lambda values: [[None]] * len(values)),
    "NaN": lambda path: column(path, "vector", lambda values: [[float("nan")] * WIDTH] * len(values)),
    "infinity": lambda path: column(path, "vector", lambda values: [[float("inf")] * WIDTH] * len(values)),
    "zeros": lambda path: column(path, "vector", lambda values: [[0.0] * WIDTH] * len(values)),
    "other widths": lambda path: column(
        path, "vector", lambda values: [[1.0] * (3 + n % 2) for n in range(len(values))]
    ),
    "another width": lambda path: column(path, "vector", lambda values: [[1.0] * 3] * len(values)),
    "null keys": lambda path: column(path, "key", lambda values: [None] * len(values)),
    "other keys": lambda path: column(path, "key", lambda values: ["\x1b[31m"] * len(values)),
    "equal keys": lambda path: column(path, "key", lambda values: [values[0]] * len(values)),
    "null texts": lambda path: column(path, "text", lambda values: [None] * len(values)),
}


def _recorded(place: str, make: Callable[[str], Callable[[Path], None]]) -> Callable[[Path], None]:
    """Return what lets a server answer once, changes what was recorded, and takes the server away."""

    def prepare(root: Path) -> None:
        from stageformer.artifacts.answers import Answers, Asked
        from stageformer.text.vocabulary import load_vocabularies
        from stageformer.vectors._asking import CANARY

        tokens = load_vocabularies(root / "data/vocab").source.tokens
        texts = [
            CANARY,
            *tokens,
            *(token.removeprefix("▁") for token in tokens),
            *(token.replace("▁", " ") for token in tokens),
        ]
        answers = Answers(root / "made")
        vectors = {text: np.full(WIDTH, 1.0 + len(text), np.float32) for text in texts if text}
        answers.add(Asked("openai", "m", None, None), vectors)
        (made,) = (root / "made").glob("*.parquet")
        target = root / place
        target.mkdir(parents=True, exist_ok=True)
        made.rename(target / made.name)
        make(f"{place}/{made.name}")(root)
        params(embed__source=_http("http://127.0.0.1:1/v1"))(root)
        import stageformer.vectors._asking as asking

        asking.time.sleep = lambda seconds: None  # type: ignore[attr-defined]

    return prepare


@attacks("vectors: recorded answers")
def answers() -> Iterator[Attack]:
    for place in (".cache/answers", "data/embed/answers"):
        for name, make in RECORDED.items():
            # What is only a comment, or not asked for, is not read.
            right = anything if name in ("null texts",) else None
            yield Attack(f"{place}: {name}", EMBED, _recorded(place, make), right, memory=6 * 2**30, inside=True)
        yield Attack(
            f"{place}: whole", EMBED, _recorded(place, lambda path: lambda root: None), anything, memory=6 * 2**30,
            inside=True,
        )  # fmt: skip
    for place in (".cache", ".cache/answers"):
        yield Attack(f"a file at {place}", EMBED, both(
            lambda root, place=place: (root / place).parent.mkdir(exist_ok=True) or (root / place).write_text("x"),
            params(embed__source=_http("http://127.0.0.1:1/v1")),
        ))  # fmt: skip
