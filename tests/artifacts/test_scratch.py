"""Where the scratch folder is."""

from pathlib import Path

import pytest

from stageformer.artifacts.scratch import scratch_folder


def test_the_scratch_folder_is_outside_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAGEFORMER_SCRATCH")
    monkeypatch.setenv("XDG_CACHE_HOME", "/a/cache")
    assert scratch_folder() == Path("/a/cache/stageformer")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert scratch_folder() == Path.home() / ".cache" / "stageformer"
