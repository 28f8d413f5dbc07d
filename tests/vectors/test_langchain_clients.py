"""Gemini and Ollama by their real LangChain clients, beside a stub that speaks their protocols."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from stageformer.vectors._asking import CANARY
from tests.vectors.services import vector_of
from tests.wheels import unpacked

KEY = "gemini-canary-key-2f91"
ROOT = Path(__file__).parents[2]
WORDS = ["Server", "größer", "日本語"]
OLLAMA = {
    "langchain-ollama==1.1.0": "43ac83a6eacb0f43855810739794dd55019e0d9b17bdcf3ecb3b1991ac3b59dd",
    "ollama==0.6.3": "6a20bc42c1a5f889295d7ec490d35e5132fc31f339561530f43a8abd4dbfe508",
}
GEMINI = {
    "langchain-google-genai==4.4.3": "a3906f1813aee36e9e67e384b6d7bf6cacd6cd44610beef35ec1ae4fb23dd2a2",
    "google-genai==3.6.1": "4b35064da644f61d7e5f6c0e9406bf63b945e7e96b4af18cadb3371cbc3acf74",
    "google-auth==2.63.0": "cbc065325f67511946d1a66672e4f47e71ed162ef1abd2bb8404ceec407c86ba",
    "filetype==1.2.0": "7ce71b6880181241cf7ac8697a2f1eb6a8bd9b429f7ad6d27b8db9ba5f1c2d25",
}
SCRIPT = """
import json, sys
from pathlib import Path
from stageformer.artifacts.answers import Answers
from stageformer.console.net import net
from stageformer.params.base import parse
from stageformer.params.services import LangChain
from stageformer.vectors.langchain import open_source
values, words, folder = map(json.loads, sys.argv[1:])
with net():
    found = open_source(parse(LangChain, values, "service"), Answers(Path(folder))).vectors(words)
    print(json.dumps(found.vectors.tolist()))
"""


class Stub(ThreadingHTTPServer):
    """Answers the requests for embeddings of both protocols; the first one with 429."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.busy = 1

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers.get("x-goog-api-key"))
        if self.server.busy:
            self.server.busy -= 1
            message = f"too many requests for {self.headers.get('x-goog-api-key')}"
            error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}
            self.reply(429, {"error": error})
        elif self.path == "/api/embed":
            texts = request["input"]
            self.server.asked += texts
            self.reply(200, {"model": request["model"], "embeddings": [vector_of(text) for text in texts]})
        else:
            texts = [part["content"]["parts"][0]["text"] for part in request["requests"]]
            self.server.asked += texts
            self.reply(200, {"embeddings": [{"values": vector_of(text)} for text in texts]})

    def reply(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("factory", "packages", "model", "path"),
    [
        ("langchain_ollama:OllamaEmbeddings", OLLAMA, "nomic-embed-text", "/api/embed"),
        ("langchain_google_genai:GoogleGenerativeAIEmbeddings", GEMINI, "gemini-embedding-001",
         "/v1/models/gemini-embedding-001:batchEmbedContents"),
    ],
)  # fmt: skip
def test_a_client_is_asked_again_after_429_and_its_vectors_are_recorded(
    stub: Stub, tmp_path: Path, factory: str, packages: dict[str, str], model: str, path: str
) -> None:
    values = {
        "kind": "langchain", "revision": None, "factory": factory,
        "arguments": {"model": model, "base_url": stub.address}, "batch_size": 2,
    }  # fmt: skip
    places = [str(unpacked(name, sha256)) for name, sha256 in packages.items()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *places]), "GOOGLE_API_KEY": KEY}

    def ask() -> subprocess.CompletedProcess[str]:
        arguments = map(json.dumps, (values, WORDS, str(tmp_path / "store")))
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    first = ask()
    assert first.returncode == 0, first.stderr
    assert "again in 0 s" in first.stderr
    assert torch.equal(torch.tensor(json.loads(first.stdout)), torch.tensor([vector_of(word) for word in WORDS]))
    assert stub.asked == [CANARY, *WORDS]
    assert set(stub.paths) == {path}
    if packages is GEMINI:
        assert set(stub.keys) == {KEY}  # it was sent, and repeated by the server in its error
    again = ask()
    assert (again.stdout, len(stub.asked)) == (first.stdout, 4)
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    printed = "".join(run.stdout + run.stderr for run in (first, again)).encode()
    assert files
    assert not [content for content in (*files, printed) if KEY.encode() in content]
