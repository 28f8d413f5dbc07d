"""What a service answered is an output: a rerun, a clone after ``dvc pull`` or another experiment asks for nothing."""

from __future__ import annotations

from pathlib import Path

from tests.repositories import Repository
from tests.vectors.services import Server, serving


def source(server: Server) -> dict[str, object]:
    return {
        "kind": "http", "project": "error", "revision": None, "base_url": server.base_url, "model": "m",
        "dimensions": None, "batch_size": 50, "api_key_variable": None, "price": None,
    }  # fmt: skip


def clone_of(repository: Repository, root: Path) -> Repository:
    repository.git("clone", "--quiet", ".", str(root))
    clone = Repository(root, repository.run_dvc)
    clone.git("config", "user.name", "A User")
    clone.git("config", "user.email", "user@example.org")
    clone.dvc("pull", "--with-deps", "embed")
    assert list((root / "data/embed/answers").iterdir())
    return clone


def test_nothing_that_is_recorded_is_asked_again(repository: Repository, tmp_path: Path) -> None:
    with serving() as server:
        server.width = 16
        repository.dvc("remote", "add", "--default", "shared", str(tmp_path / "remote"))
        repository.set(embed__source=source(server))
        assert repository.repro("embed") == (["check", "embed"], [])
        asked = len(server.asked)
        assert asked > 50
        hashes = repository.hashes()
        repository.commit()
        repository.dvc("push", "--with-deps", "embed")

        repository.set(embed__seed=2)  # a rerun, whose output DVC removes first
        assert repository.repro("embed") == (["check", "embed"], [])
        assert repository.hashes()["data/embed/answers"] == hashes["data/embed/answers"]
        assert repository.hashes()["data/embed/embedding.pt"] != hashes["data/embed/embedding.pt"]

        clone = clone_of(repository, tmp_path / "clone")
        clone.set(embed__seed=3)
        assert clone.repro("embed") == (["check", "embed"], [])
        assert clone.hashes()["data/embed/answers"] == hashes["data/embed/answers"]

        another = clone_of(repository, tmp_path / "another clone")
        another.dvc("exp", "run", "--temp", "--set-param", "embed.seed=4", "embed")
        assert not (another.root / ".cache/answers").exists()
        assert len(server.asked) == asked
