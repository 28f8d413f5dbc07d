from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.params.root import find_root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A root that holds folders, one of them with a pipeline of its own."""
    root = tmp_path / "a root"
    (root / "data/vocab").mkdir(parents=True)
    (root / "heads").mkdir()
    for name in ("dvc.yaml", "params.yaml", "heads/dvc.yaml"):
        (root / name).touch()
    return root


@pytest.mark.parametrize(("folder", "expected"), [("", "."), ("data/vocab", "../.."), ("heads", "..")])
def test_the_root_is_found_upwards(
    repository: Path, monkeypatch: pytest.MonkeyPatch, folder: str, expected: str
) -> None:
    monkeypatch.chdir(repository / folder)
    assert find_root() == Path(expected)


def test_the_nearest_of_two_roots_is_taken(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = repository / "data/inner"
    inner.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        (inner / name).touch()
    monkeypatch.chdir(inner)
    assert find_root() == Path()


def test_a_root_without_parameters_is_one_if_it_has_recipes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "params.yaml").unlink()
    monkeypatch.chdir(repository / "data")
    with pytest.raises(StageformerError):
        find_root()
    (repository / "recipes").mkdir()
    (repository / "recipes/default.yaml").touch()
    assert find_root() == Path("..")


def test_outside_of_any_repository_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageformerError, match="neither this folder nor one above it is a repository of Stageformer"):
        find_root()


def test_a_root_that_is_named_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    assert find_root(repository) == repository
    with pytest.raises(StageformerError, match="data: not a repository of Stageformer"):
        find_root(repository / "data")
