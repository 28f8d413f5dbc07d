"""A server on this machine that speaks the embedding protocol of OpenAI, and remembers what it was asked."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


def vector_of(text: str, width: int = 6) -> list[float]:
    """A vector that follows from the text, as exact in JSON as in float32."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=width).astype(np.float32).tolist()


class Server:
    """What was asked, and how it is answered.

    Args:
        forward: address of another server of the protocol that gives the answers; None: :func:`vector_of`
    """

    def __init__(self, forward: str | None = None) -> None:
        self.forward = forward
        self.asked: list[str] = []
        """every text that was answered, in order"""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.intercept: Callable[[list[str]], tuple[int, dict[str, str], bytes] | None] = lambda texts: None
        """gives another answer than the usual one: status, headers and body"""
        self.base_url = ""
        self.width = 6
        self.step = -1
        """of the order in the list of answers, where the field index counts"""

    def answer(self, request: dict[str, Any]) -> bytes:
        texts = request["input"]
        self.asked += texts
        if self.forward:
            body = json.dumps(request).encode()
            headers = {"Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(f"{self.forward}/embeddings", body, headers)) as reply:
                return reply.read()
        vectors = [vector_of(text, self.width) for text in texts]
        data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return json.dumps({"object": "list", "model": "m", "data": data[:: self.step], "usage": usage}).encode()


@contextmanager
def serving(forward: str | None = None) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1."""
    server = Server(forward)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(request)
            server.keys.append(self.headers.get("Authorization", ""))
            status, headers, body = server.intercept(request["input"]) or (200, {}, server.answer(request))
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        server.base_url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
        yield server
        listening.shutdown()
