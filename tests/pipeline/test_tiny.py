"""The recipe `tiny`, as the README shows it: every stage without a download, and every test sentence right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
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


def test_the_walk_of_the_readme_shows_how_the_third_token_came_about(learned: Repository, tmp_path: Path) -> None:
    page = tmp_path / "walk.html"
    arguments = ["walk", "reverse a d c", "--root", str(learned.root), "--output", str(page)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (0, "c d a\n")
    content = page.read_text(encoding="utf-8")
    assert '"id":"decoder/3/probabilities"' in content
    assert len(content) < 2**20
