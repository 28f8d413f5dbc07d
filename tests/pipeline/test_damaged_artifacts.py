"""A damaged artifact on disk: one line that names it and the remedy, and ``dvc repro`` restores it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_stage(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"stages.{name}"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # It is a read-only link into the cache.
    path.write_bytes(content)


def lines_of_errors(stderr: str) -> list[str]:
    """What is printed, but for the warning of a CPU whose last bits may differ."""
    return [line for line in stderr.splitlines() if not line.startswith("warning: compute.instruction_set ")]


def test_a_damaged_artifact_is_one_line_and_restored_from_the_cache(repository) -> None:
    root, before = repository.root, repository.hashes()
    table, model = Path("data/vocab/train.parquet"), Path("data/train_decoder/model.pt")
    whole = {path: (root / path).read_bytes() for path in (table, model)}
    kept = {path: (root / path).read_bytes() for path in map(Path, ["data/train_encoder/encoder.pt",
                                                                    "data/evaluate/translations.parquet"])}

    replace(root / table, whole[table][: len(whole[table]) // 2])
    cut = run_stage(root, "train_encoder")
    assert cut.returncode == 2
    (error,) = lines_of_errors(cut.stderr)
    assert error.startswith(f"error: {table}: ")
    assert "`dvc repro --force vocab`" in error

    replace(root / table, whole[table])
    replace(root / model, b"not a model")
    foreign = run_stage(root, "translate")
    assert foreign.returncode == 2
    (error,) = lines_of_errors(foreign.stderr)
    assert error.startswith(f"error: {model}: ")
    assert "`dvc repro --force train_decoder`" in error

    assert {path: (root / path).read_bytes() for path in kept} == kept
    assert repository.repro() == ([], ["train_decoder"])
    assert (root / model).read_bytes() == whole[model]
    assert repository.hashes() == before
