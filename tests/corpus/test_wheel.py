"""Real runs of pip on a folder of wheels in place of the package index."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stageformer.corpus.wheels import fetch_wheel
from stageformer.errors import StageformerError
from stageformer.params.ingest import HomeAssistant


@pytest.fixture
def wheel(make_wheel, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = make_wheel({"homeassistant/__init__.py": ""})
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_downloads_once_and_then_needs_no_index(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params, cache = HomeAssistant(version="1.0", sha256=sha256(wheel)), tmp_path / "cache"
    fetched = fetch_wheel("homeassistant", params, cache)
    assert fetched.read_bytes() == wheel.read_bytes()
    assert list(cache.iterdir()) == [fetched]
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
    assert fetch_wheel("homeassistant", params, cache) == fetched


def test_damaged_wheel_in_the_cache_is_replaced(wheel: Path, tmp_path: Path) -> None:
    cached = tmp_path / wheel.name
    cached.write_bytes(b"cut off")
    params = HomeAssistant(version="1.0", sha256=sha256(wheel))
    assert fetch_wheel("homeassistant", params, tmp_path).read_bytes() == wheel.read_bytes()


def test_wrong_hash(wheel: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(StageformerError) as error:
        fetch_wheel("homeassistant", HomeAssistant(version="1.0", sha256="0" * 64), cache)
    message = str(error.value)
    assert f"wrong: found {sha256(wheel)}, ingest.homeassistant.sha256 is {'0' * 64}" in message
    assert len(message.splitlines()) == 1
    assert list(cache.iterdir()) == []


def test_unknown_version(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"homeassistant 7\.0: there is no such version") as error:
        fetch_wheel("homeassistant", HomeAssistant(version="7.0", sha256="0" * 64), tmp_path)
    assert len(str(error.value)) < 200


def test_no_index(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(StageformerError, match=r"is there a network\?") as error:
        fetch_wheel("homeassistant", HomeAssistant(version="1.0", sha256="0" * 64), tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_anything_else_that_pip_says_is_cut_to_one_line(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TIMEOUT", "many")
    with pytest.raises(StageformerError, match="pip could not download it: ") as error:
        fetch_wheel("homeassistant", HomeAssistant(version="1.0", sha256="0" * 64), tmp_path)
    assert len(str(error.value)) < 300
    assert len(str(error.value).splitlines()) == 1
