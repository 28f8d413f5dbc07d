"""A server of vectors: what is recorded is not asked again, whatever happens; the key is found nowhere."""

from __future__ import annotations

import email.utils
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stageformer.artifacts.answers import Answers
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.embed import Http
from stageformer.vectors._asking import CANARY, pause_of
from stageformer.vectors.base import Found
from stageformer.vectors.http import open_source
from tests.vectors.services import Server, serving, vector_of

KEY = "sk-canary-7f3a9b"
ROOT = Path(__file__).parents[2]
WORDS = [f"word{n}" for n in range(20)]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def values(server: Server, **changes: object) -> dict[str, object]:
    return {
        "kind": "http", "project": "error", "revision": None, "base_url": server.base_url, "model": "m",
        "dimensions": None, "batch_size": 6, "api_key_variable": None, "price": None, **changes,
    }  # fmt: skip


def ask(server: Server, folder: Path, words: list[str] = WORDS, **changes: object) -> tuple[Found, Answers]:
    answers = Answers(folder)
    params = parse(Http, values(server, **changes), "embed.source")
    return open_source(params, answers).vectors(words), answers


def test_every_text_is_asked_once(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, answers = ask(server, tmp_path / "store", price=2.0)
    assert found.rows == list(range(20))
    assert torch.equal(found.vectors, torch.tensor([vector_of(word) for word in WORDS]))
    assert server.asked == [CANARY, *WORDS]
    assert [len(request["input"]) for request in server.requests] == [1, 6, 6, 6, 2]
    printed = capsys.readouterr().err
    assert printed == f"asking m at {server.base_url} for 20 texts, about 20 tokens, price 4e-05\n"
    again, of_rerun = ask(server, tmp_path / "store")
    assert torch.equal(again.vectors, found.vectors)
    assert len(server.asked) == 21
    assert capsys.readouterr().err == ""
    for number, each in enumerate((answers, of_rerun)):
        each.save_used(tmp_path / str(number))
    files = [{path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in "01"]
    assert files[0] == files[1]  # the output is a function of the texts alone
    ask(server, tmp_path / "store", [*WORDS, "new"])
    assert server.asked[21:] == [CANARY, "new"]
    for changes in ({"model": "other"}, {"revision": "2"}):
        asked = len(server.asked)
        ask(server, tmp_path / "store", **changes)
        assert len(server.asked) == asked + 21


def test_dimensions_are_asked_for_and_checked(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"answered with a vector of \[6\] values, needed 5 finite ones"):
        ask(server, tmp_path, dimensions=5)
    assert server.requests[0]["dimensions"] == 5
    assert ask(server, tmp_path, dimensions=6)[0].vectors.shape == (20, 6)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_refused_for_now(
    server: Server, tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    left = [{"Retry-After": "7"}, {}, {"Retry-After": email.utils.formatdate(time.time() + 90, usegmt=True)}]

    def intercept(texts: list[str]) -> tuple[int, dict[str, str], bytes] | None:
        return (status, left.pop(0), b'{"error": "too many"}') if left and texts[0] == "word6" else None

    server.intercept = intercept
    found, _ = ask(server, tmp_path)
    assert torch.equal(found.vectors, torch.tensor([vector_of(word) for word in WORDS]))
    assert slept[:2] == [7.0, 2.0]
    assert 80 < slept[2] <= 90
    assert server.asked == [CANARY, *WORDS]
    assert f'status {status}: {{"error": "too many"}}; again in 7 s\n' in capsys.readouterr().err


def test_refused_for_good_loses_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server.intercept = lambda texts: (400, {}, b"no\nsuch model") if "word12" in texts else None
    with pytest.raises(StageformerError, match=r"^m at http.*/v1: status 400: no such model$"):
        ask(server, tmp_path)
    server.intercept = lambda texts: (503, {}, b"") if "word12" in texts else None
    with pytest.raises(StageformerError, match="status 503: , 8 times in a row"):
        ask(server, tmp_path)
    server.intercept = lambda texts: None
    ask(server, tmp_path)
    assert sorted(text for text in server.asked if text != CANARY) == sorted(WORDS)


def test_what_is_no_answer(server: Server, tmp_path: Path) -> None:
    def data(*vectors: object) -> bytes:
        rows = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
        return json.dumps({"object": "list", "data": rows, "model": "m", "usage": {}}).encode()

    cases = {
        data(): "answered 1 texts with 0 vectors",
        data([1.0], [2.0]): "answered 1 texts with 2 vectors",
        data([0.0, 0.0]): "that are not all zero",
        data([1.0, float("nan")]): "needed 2 finite ones",
    }
    for body, message in cases.items():
        server.intercept = lambda texts, body=body: (200, {}, body)
        with pytest.raises(StageformerError, match=message):
            ask(server, tmp_path)
    assert not list(tmp_path.glob("*.parquet"))


def test_another_model_behind_the_name_is_noticed(server: Server, tmp_path: Path) -> None:
    ask(server, tmp_path)
    body = json.dumps({"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": [1.0] * 6}]})
    server.intercept = lambda texts: (200, {}, body.encode())
    with pytest.raises(StageformerError, match=r"the model has changed: .* set the revision of the source to a new"):
        ask(server, tmp_path, ["something new"])
    assert ask(server, tmp_path)[0].rows == list(range(20))  # what is recorded needs nobody


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with serving() as gone:
        pass
    with pytest.raises(StageformerError, match=r"not to be reached \(Connection error\.\), 8 times in a row"):
        ask(gone, tmp_path)
    assert slept == [1, 2, 4, 8, 16, 32, 60]


def test_retry_after() -> None:
    assert pause_of(None) is None
    assert pause_of("soon") is None
    assert pause_of("2.5") == 2.5
    assert pause_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0


SCRIPT = """
import sys, json
from pathlib import Path
from stageformer.artifacts.answers import Answers
from stageformer.console.net import net
from stageformer.params.base import parse
from stageformer.params.embed import Http
from stageformer.vectors.http import open_source
with net():
    source = open_source(parse(Http, json.loads(sys.argv[1]), "embed.source"), Answers(Path(sys.argv[2])))
    source.vectors([f"word{n}" for n in range(1000)])
"""


def process(server: Server, folder: Path, **variables: str) -> subprocess.Popen[str]:
    params = json.dumps(values(server, batch_size=50, api_key_variable="THE_KEY" if "THE_KEY" in variables else None))
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, params, str(folder)], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def killed_and_run_again(server: Server, folder: Path) -> None:
    running: list[subprocess.Popen[str]] = []

    def intercept(texts: list[str]) -> tuple[int, dict[str, str], bytes] | None:
        if running and len(server.asked) > 500:
            running.pop().kill()
            return 500, {}, b""
        return None

    server.intercept = intercept
    first = process(server, folder)
    running.append(first)
    first.communicate()
    assert first.returncode == -9
    assert len(server.asked) == 501  # the canary and ten batches
    second = process(server, folder)
    assert "for 500 texts, about 500 tokens; 500 are recorded\n" in second.communicate()[1]
    assert second.returncode == 0
    assert sorted(text for text in server.asked if text != CANARY) == sorted(f"word{n}" for n in range(1000))


def test_killed_in_the_middle_and_run_again(server: Server, tmp_path: Path) -> None:
    killed_and_run_again(server, tmp_path)


def test_the_key_is_found_nowhere(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in what is printed or written, nor in the arguments of any process, failing or not."""
    titles: list[bytes] = []

    def intercept(texts: list[str]) -> tuple[int, dict[str, str], bytes] | None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                titles.append(path.read_bytes())
            except OSError:
                continue
        echoed = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'.encode()
        return (401, {}, echoed) if len(server.asked) > 200 else None

    variables = {"THE_KEY": KEY, "STAGEFORMER_DEBUG": "1", "STAGEFORMER_SCRATCH": str(tmp_path / "scratch")}
    server.intercept = intercept
    printed = []
    failing = process(server, tmp_path, **variables)
    printed += failing.communicate()
    assert failing.returncode == 2
    assert "Incorrect API key provided: ***" in printed[-1]
    server.intercept = lambda texts: None
    passing = process(server, tmp_path, **variables)
    printed += passing.communicate()
    assert passing.returncode == 0
    assert set(server.keys) == {f"Bearer {KEY}"}  # it was sent
    assert titles
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [content for content in (*titles, *files, *map(str.encode, printed)) if KEY.encode() in content]


def test_a_key_that_is_none(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    with pytest.raises(StageformerError, match=r"api_key_variable: the environment variable THE_KEY is not set"):
        ask(server, tmp_path, api_key_variable="THE_KEY")
    monkeypatch.setenv("THE_KEY", f"{KEY}\nX-Other: 1")
    with pytest.raises(StageformerError, match=r"the environment variable THE_KEY holds characters that no key has$"):
        ask(server, tmp_path, api_key_variable="THE_KEY")
