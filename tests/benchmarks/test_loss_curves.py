"""Both loops start alike and learn alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.loss_curves import main


def test_both_systems_start_from_one_loss_and_fall(data: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(data), "--seeds", "2", "--batch-tokens", "100", "--updates", "20", "--threads", "1"]
    run = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "curves.svg")], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    rows = [line.split() for line in run.output.splitlines() if line.strip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["1-10", "11-20"]
    first, second = rows
    plain, ours = float(first[1]), float(first[4])
    assert ours == pytest.approx(plain, abs=0.1)  # the same weights and batches; only dropout differs
    assert float(second[4]) < ours - 0.05
    assert (tmp_path / "curves.svg").stat().st_size > 10_000
