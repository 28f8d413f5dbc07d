"""What a service answered is an output: a rerun, a clone after ``dvc pull`` or another experiment asks for nothing."""

from __future__ import annotations

from pathlib import Path

from tests.repositories import Repository
from tests.vectors.services import Server, serving

KEY = "sk-canary-5e1c77"


def source(server: Server, **changes: object) -> dict[str, object]:
    return {
        "kind": "http", "project": "error", "revision": None, "base_url": server.base_url, "model": "m",
        "dimensions": None, "batch_size": 50, "api_key_variable": None, "price": None, **changes,
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


def test_the_key_is_in_no_file_and_in_nothing_printed(repository: Repository, tmp_path: Path) -> None:
    with serving() as server:
        server.width = 16
        echoed = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'.encode()
        server.intercept = lambda texts: (401, {}, echoed) if len(server.asked) > 40 else None
        repository.set(embed__source=source(server, api_key_variable="THE_KEY"))
        variables = {"THE_KEY": KEY, "STAGEFORMER_SCRATCH": str(tmp_path / "scratch")}
        failing = repository.run_dvc(repository.root, "repro", "embed", **variables)
        assert failing.returncode != 0
        assert "Incorrect API key provided: ***" in failing.stderr
        server.intercept = lambda texts: None
        passing = repository.run_dvc(repository.root, "repro", "embed", **variables)
        assert passing.returncode == 0, passing.stderr
        assert "are recorded" in passing.stderr  # the failure lost nothing
        assert set(server.keys) == {f"Bearer {KEY}"}
    printed = "".join(run.stdout + run.stderr for run in (failing, passing))
    files = [path for path in [*repository.root.rglob("*"), *tmp_path.rglob("*")] if path.is_file()]
    assert any("/.dvc/tmp/" in str(path) for path in files)
    assert KEY not in printed
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
