"""Vectors that LangChain returns: its own client for OpenAI's protocol, and what goes wrong in code of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from langchain_openai import OpenAIEmbeddings

from stageformer.artifacts.answers import Answers
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.embed import LangChain
from stageformer.vectors import _asking
from stageformer.vectors._asking import CANARY
from stageformer.vectors.langchain import open_source
from tests.vectors.services import serving, vector_of

WORDS = ["Server", "größer", "日本語"]


def source(folder: Path, factory: str, **arguments: object):  # type: ignore[no-untyped-def]
    values = {
        "kind": "langchain", "project": "error", "revision": None, "factory": factory, "arguments": arguments,
        "batch_size": 2,
    }  # fmt: skip
    return open_source(parse(LangChain, values, "embed.source"), Answers(folder))


def test_the_vectors_are_those_that_langchain_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with serving() as server:
        server.step = 1  # this client takes the list as it comes
        arguments = {"base_url": server.base_url, "model": "m", "check_embedding_ctx_length": False}
        found = source(tmp_path, "langchain_openai:OpenAIEmbeddings", **arguments).vectors(WORDS)
        assert torch.equal(found.vectors, torch.tensor([vector_of(word) for word in WORDS]))
        assert torch.equal(found.vectors, torch.tensor(OpenAIEmbeddings(**arguments).embed_documents(WORDS)))  # type: ignore[arg-type]
        asked = len(server.asked)
        source(tmp_path, "langchain_openai:OpenAIEmbeddings", **arguments).vectors(WORDS)
        assert len(server.asked) == asked
        with pytest.raises(StageformerError, match=r"^langchain_openai:OpenAIEmbeddings: cannot be made \("):
            source(tmp_path, "langchain_openai:OpenAIEmbeddings", chunk_size="x", **arguments).vectors(["new"])


class Own:
    """An object of one's own."""

    asked: list[str] = []  # noqa: RUF012
    fails: list[Exception] = []  # noqa: RUF012

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.fails:
            raise self.fails.pop()
        self.asked += texts
        return [vector_of(text) for text in texts]


class RefusedError(Exception):
    status_code = 403


def test_an_object_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asking.time, "sleep", lambda _: None)
    monkeypatch.setattr("stageformer.vectors.langchain.function_at", {"mine:Own": Own, "mine:text": str}.__getitem__)
    Own.fails = [TimeoutError(), ConnectionResetError()]
    source(tmp_path, "mine:Own").vectors(WORDS)
    assert Own.asked == [CANARY, *WORDS]
    monkeypatch.setenv("THEIR_API_KEY", "sk-1234567")
    Own.fails = [RefusedError("the key sk-1234567 is wrong\nbecause")]
    with pytest.raises(StageformerError, match=r"^mine:Own: RefusedError: the key \*\*\* is wrong$"):
        source(tmp_path, "mine:Own").vectors(["new"])
    with pytest.raises(StageformerError, match=r"^mine:text: is no class with embed_documents$"):
        source(tmp_path, "mine:text").vectors(["new"])


def test_nothing_else_is_called(tmp_path: Path) -> None:
    for factory, arguments in (("os:mkdir", {"path": str(tmp_path / "made")}), ("subprocess:Popen", {"args": "true"})):
        with pytest.raises(StageformerError, match=r": is no class with embed_documents$"):
            source(tmp_path, factory, **arguments).vectors(["new"])
    assert not (tmp_path / "made").exists()
