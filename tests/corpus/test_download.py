"""Files at an address, fetched from a server on this machine that cuts connections."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stageformer.corpus import download
from stageformer.corpus.download import fetch
from stageformer.corpus.ingest import open_corpus
from stageformer.corpus.sources.base import Record
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.ingest import Ingest
from stageformer.params.recipes import combine

ROOT = Path(__file__).parents[2]
MULTI30K = Path(os.environ.get("STAGEFORMER_SHARED_DATA", ROOT.parent / "shared" / "data")) / "multi30k"

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Sends ``files``, at most ``longest`` bytes of one at a time; the rest of the promised length never comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.longest = 1 << 30
        self.knows_ranges = True
        self.asked: list[str | None] = []

    def name(self, path: str, sha256: str = SHA256) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}#sha256={sha256}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"] if self.server.knows_ranges else None
        self.server.asked.append(self.headers["Range"])
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : start + self.server.longest])
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_download_that_is_cut_again_and_again_resumes_and_is_fetched_once(server: Server, tmp_path: Path) -> None:
    server.files["/folder/a%20b.gz"] = CONTENT
    server.longest = 100_000
    file = fetch(server.name("/folder/a%20b.gz"), tmp_path)
    assert file.read_bytes() == CONTENT
    assert file.name == f"{SHA256[:16]}-a b.gz"
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]
    server.files.clear()
    assert fetch(server.name("/folder/a%20b.gz"), tmp_path) == file  # nothing is asked for again
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_killed_download_resumes_in_the_next_run(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    (tmp_path / f"{SHA256[:16]}-a.part").write_bytes(CONTENT[:250_000])
    assert fetch(server.name("/a"), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=250000-"]
    (tmp_path / f"{SHA256[:16]}-a").rename(tmp_path / f"{SHA256[:16]}-a.part")  # whole, but killed before the check
    assert fetch(server.name("/a"), tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    server.knows_ranges = False
    (tmp_path / f"{SHA256[:16]}-a.part").write_bytes(b"x" * 1000)
    assert fetch(server.name("/a"), tmp_path).read_bytes() == CONTENT


def test_another_file_than_the_one_meant_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT[:-1]
    with pytest.raises(StageformerError, match=f"/a: the file there has the sha256 [0-9a-f]*, and .* says {SHA256};"):
        fetch(server.name("/a"), tmp_path)
    assert not list(tmp_path.iterdir())
    server.files["/a"] = CONTENT
    assert fetch(server.name("/a"), tmp_path).read_bytes() == CONTENT


def test_what_a_server_refuses_and_what_nobody_answers_is_one_line(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0)
    with pytest.raises(StageformerError, match="/none: the server answers 404 Not Found; see"):
        fetch(server.name("/none"), tmp_path)
    server.files["/a"] = CONTENT
    server.longest = 0
    with pytest.raises(StageformerError, match=r"/a: cannot be downloaded .*cut.* resumes after 0 bytes") as error:
        fetch(server.name("/a"), tmp_path)
    assert len(server.asked) == 1 + download._ATTEMPTS
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(StageformerError, match=r"127.0.0.1:1/a: cannot be downloaded \(.*Connection refused\)"):
        fetch(f"http://127.0.0.1:1/a#sha256={SHA256}", tmp_path)


def test_two_at_once_download_once(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(fetch, [server.name("/a")] * 4, [tmp_path] * 4))
    assert [path.read_bytes() for path in found] == [CONTENT]
    assert server.asked == [None]


@pytest.mark.parametrize("name", [
    "https://example.org/a.gz", "https://example.org/a.gz#sha256=abc", f"https://me:secret@example.org/a#sha256={SHA256}",
])  # fmt: skip
def test_an_address_needs_its_hash_and_holds_no_password(make_params: Callable[..., object], name: str) -> None:
    with pytest.raises(StageformerError, match=r"files.train has 'https://.*needed https://host/path#sha256=, then 64"):
        make_params(source="jsonl", files={"train": [name]})


@pytest.mark.skipif(not MULTI30K.is_dir(), reason="no Multi30k in $STAGEFORMER_SHARED_DATA or ../shared/data")
@pytest.mark.parametrize(("recipe", "folder"), [("multi30k", "raw"), ("multi30k lowercase", "tok")])
def test_the_recipes_fetch_the_files_of_multi30k(server: Server, tmp_path: Path, recipe: str, folder: str) -> None:
    for path in MULTI30K.glob("*.gz"):
        content = path.read_bytes()  # the tokenised files are not compressed there
        server.files[f"/raw/{path.name}"] = content
        server.files[f"/tok/{path.stem}"] = gzip.decompress(content)
    values = combine(recipe, ROOT / "recipes").values["ingest"]
    there = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1"
    for split in ("train", "valid", "test"):
        names = values["files"][split]
        assert all(name.startswith(f"{there}/{folder}/") for name in names)
        values["files"][split] = [name.replace(there, f"http://127.0.0.1:{server.server_port}") for name in names]
    corpus = open_corpus(parse(Ingest, values, "ingest"), tmp_path)
    records = {split: list(source) for split, source in corpus.items()}
    assert {split: len(found) for split, found in records.items()} == {"train": 29_000, "valid": 1_014, "test": 1_000}
    first = records["train"][0]
    assert isinstance(first, Record)
    assert first[:2] == {
        "raw": ("Two young, White males are outside near many bushes.",
                "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."),
        "tok": ("two young , white males are outside near many bushes .",
                "zwei junge weiße männer sind im freien in der nähe vieler büsche ."),
    }[folder]  # fmt: skip
