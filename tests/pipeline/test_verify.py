"""``make verify`` on the real pipeline: it passes on what was built, and fails after a change of the seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def verify(root: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root / "src")} | variables
    command = [sys.executable, "-m", "tools.verify"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_clone_rebuilds_every_bit(finished) -> None:
    run = verify(finished.root, PYTHONHASHSEED="7")
    assert run.returncode == 0, run.stdout + run.stderr
    assert [stage for stage in finished.stages if f"Running stage '{stage}'" not in run.stdout] == []
    outputs = len(finished.hashes().keys() - {"data/check/code"})
    assert run.stdout.count("  same\n") == outputs
    assert run.stdout.endswith(f"\nverified: all {outputs} outputs are the same, to the bit\n")
    assert finished.git("status", "--porcelain") == ""


def test_another_seed_gives_other_bits(repository) -> None:
    repository.set(train_decoder__training__seed=2)
    repository.commit()
    run = verify(repository.root)
    assert run.returncode == 1, run.stdout + run.stderr
    table = [line.split() for line in run.stdout.splitlines()]
    different = {line[1] for line in table if line[-1:] == ["DIFFERENT"]}
    assert "data/train_decoder/model.pt" in different
    assert {path.split("/")[1] for path in different} == {"train_decoder", "translate", "evaluate", "export"}
    *_, parameters, environment, verdict = run.stdout.splitlines()
    assert parameters == "The parameters differ: train_decoder.training.seed: 1 -> 2"
    assert environment.startswith("The environment is the same")
    assert verdict.startswith(f"NOT the same: {len(different)} of ")
    assert "data/train_decoder/model.pt" in verdict
