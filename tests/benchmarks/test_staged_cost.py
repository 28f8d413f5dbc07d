"""A run on a toy corpus, and the break-even."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import jobs, machine, staged_cost, worker
from benchmarks.configurations import ROOT
from benchmarks.staged_cost import HEADER, break_even


def test_a_toy_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(machine, "SIZES", ())
    monkeypatch.setattr(staged_cost, "run", lambda arguments, threads: None)  # the corpus is there
    for module in (jobs, staged_cost):
        monkeypatch.setattr(module, "run_job", worker.run)
    options = ["--data", str(data), "--threads", "1", "--seconds", "0.01", "--rounds", "1", "--batch-tokens", "100"]
    result = CliRunner().invoke(staged_cost.main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert tuple(header) == HEADER
    assert [row[0] for row in rows] == ["tiny", "small"]
    for row in rows:
        of_arithmetic = dict(zip(HEADER, row, strict=True))["decoder / joint, arithmetic"]
        assert 40 < int(of_arithmetic.rstrip("%")) < 80


def test_break_even() -> None:
    assert break_even(joint=10, before=12, decoder=4) == 2
    assert break_even(joint=10, before=12.1, decoder=4) == 3
    assert break_even(joint=10, before=0, decoder=4) == 1
    assert break_even(joint=10, before=1, decoder=10) is None
