"""The whole pipeline of the recipe ``tiny`` on a GPU."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stageformer.params.recipes import use
from tests.repositories import ROOT, Repository

TRAINED = ("data/train_encoder/encoder.pt", "data/train_decoder/model.pt", "data/translate/hypotheses.parquet")


@pytest.fixture
def on_gpu(tmp_path: Path, dvc: Callable[..., Any]) -> Callable[..., Repository]:
    """A function that makes a repository with the recipe ``tiny`` on a GPU, and other parameters as given."""

    def make(name: str, **values: object) -> Repository:
        repository = Repository(tmp_path / name, dvc)
        subprocess.run(["git", "clone", "--quiet", ROOT, repository.root], check=True)
        use("tiny", repository.root / "params.yaml", repository.root / "recipes")
        settings: dict[str, object] = {"compute__device": "cuda", "compute__threads": 1, "export__formats": []}
        repository.set(**(settings | values))
        return repository

    return make


def exact_match(repository: Repository) -> float:
    """Percent of the test sentences."""
    found: float = json.loads((repository.root / "reports/evaluate/metrics.json").read_text())["beam"]["exact_match"]
    return found


def test_it_learns_to_copy_and_reverse_with_the_same_bits_again(on_gpu: Callable[..., Repository]) -> None:
    first, second = on_gpu("first"), on_gpu("second")
    for repository in (first, second):
        repository.repro("evaluate", STAGEFORMER_SCRATCH=str(repository.root / "scratch"))
    assert exact_match(first) == 100.0
    assert {path: first.hashes()[path] for path in TRAINED} == {path: second.hashes()[path] for path in TRAINED}


def test_killed_and_resumed_equals_uninterrupted(on_gpu: Callable[..., Repository], tmp_path: Path) -> None:
    repository = on_gpu("killed", train_encoder__training__average_checkpoints=3)
    scratch, root = tmp_path / "scratch", repository.root
    repository.repro("train_encoder", STAGEFORMER_SCRATCH=str(scratch))
    expected = (root / TRAINED[0]).read_bytes()
    command = [sys.executable, "-m", "stages.train_encoder", "--output", "again", "--reports", "again"]
    environment = os.environ | {
        "STAGEFORMER_SCRATCH": str(scratch),
        "PYTHONPATH": os.pathsep.join([str(root), *sys.path]),
    }
    for update in (200, 400):
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not any(
            int(path.stem.split("-")[1]) >= update for path in scratch.glob("*/update-*.pt")
        ):
            time.sleep(0.01)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=root, env=environment, check=True)
    assert (root / "again/encoder.pt").read_bytes() == expected


@pytest.mark.parametrize(
    "changes", [{"compute__precision": "bf16"}, {"compute__compile": True}, {"compute__kernels": "reference"}]
)
def test_it_learns_however_it_computes(on_gpu: Callable[..., Repository], changes: dict[str, object]) -> None:
    repository = on_gpu("other", **changes)
    repository.repro("evaluate")
    assert exact_match(repository) > 90.0
