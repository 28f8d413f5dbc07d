"""What ``dvc.yaml`` declares as artifacts, as a model registry and ``dvc artifacts get`` see it."""

from __future__ import annotations

from pathlib import Path

import dvc.api
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # What DVC does inside is not ours.


def test_a_registered_version_is_found_and_fetched(repository, tmp_path: Path) -> None:
    for name in ("model", "exports"):
        repository.git("tag", "--annotate", f"{name}@v1.0.0", "--message=The first")
    root = str(repository.root)
    commit = repository.git("rev-parse", "HEAD").strip()
    assert dvc.api.artifacts_show("model", version="v1.0.0", repo=root) == {
        "rev": commit, "path": "data/train_decoder/model.pt"
    }  # fmt: skip
    repository.dvc("artifacts", "get", root, "model", "--out", str(tmp_path / "model.pt"))
    model = repository.root / "data/train_decoder/model.pt"
    assert (tmp_path / "model.pt").read_bytes() == model.read_bytes()
    repository.dvc("artifacts", "get", root, "exports", "--rev", "v1.0.0", "--out", str(tmp_path / "exports"))
    assert {path.name for path in (tmp_path / "exports").iterdir()} >= {"README.md", "card.json", "ctranslate2"}
