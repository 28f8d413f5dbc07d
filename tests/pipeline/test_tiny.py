"""The recipe `tiny`, as the README shows it: every stage without a download, and every test sentence right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stageformer.params.recipes import use
from tests.repositories import Repository


@pytest.fixture(scope="module")
def learned(finished: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = finished.copy(tmp_path_factory.mktemp("tiny") / "a copy")
    use("tiny", repository.root / "params.yaml", repository.root / "recipes")
    ran, _ = repository.repro()
    assert set(ran) >= {"ingest", "tokenize", "train_encoder", "encode", "train_decoder", "translate", "evaluate"}
    return repository


def test_every_test_sentence_is_right(learned: Repository) -> None:
    metrics = json.loads((learned.root / "reports/evaluate/metrics.json").read_text())
    assert metrics["sentences"] > 300
    for search in ("beam", "greedy"):
        assert (metrics[search]["exact_match"], metrics[search]["cer"]) == (100, 0)
    assert metrics["copy_source"]["exact_match"] == 0


def test_there_are_pictures(learned: Repository) -> None:
    pictures = {path.name for path in Path(learned.root / "reports/evaluate").rglob("*.png")}
    assert len(pictures) > 4
