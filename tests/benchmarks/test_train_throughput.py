"""A run on a toy corpus: what is printed and written."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import jobs, machine, train_throughput, worker
from benchmarks.breakdown import PARTS, breakdown, part_of
from benchmarks.configurations import ROOT
from benchmarks.jobs import Job, Result


def in_this_process(job: Job) -> Result:
    return {"peak_memory_mib": 100.0} | worker.run(job)


def test_a_toy_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(machine, "SIZES", (512,))
    monkeypatch.setattr(machine, "SECONDS_A_SIZE", 0.1)
    monkeypatch.setattr(train_throughput, "PROFILED_UPDATES", 1)
    for module in (jobs, train_throughput):
        monkeypatch.setattr(module, "run_job", in_this_process)
    options = ["--data", str(data), "--config", "tiny", "--threads", "1", "--seconds", "0.01", "--rounds", "1"]
    json_path = tmp_path / "figures.json"
    result = CliRunner().invoke(
        train_throughput.main,
        [*options, "--batch-tokens", "100", "--set", "compute.micro_batch_tokens=50", "--json", str(json_path)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output

    figures = json.loads(json_path.read_text())
    assert {"cpu", "cores", "threads", "torch", "gflop_per_second"} <= figures["machine"].keys()
    assert {"stageformer", "plain", "plain-malloc"} <= {found["system"] for found in figures["results"]}
    for found in figures["results"]:
        assert found.keys() == {
            "system", "config", "target_tokens_per_second", "fraction_of_limit", "peak_memory_mib"
        }  # fmt: skip
        assert found["config"] == "tiny"
        assert found["target_tokens_per_second"] > 0
        assert 0 < found["fraction_of_limit"] < 1
    rounds = figures["rounds"]["tiny"]
    for same in ("target_tokens", "parameters"):
        assert len({results[0][same] for results in rounds.values()}) == 1, same
    assert 0 <= rounds["stageformer"][0]["padding"] <= rounds["plain"][0]["padding"] < 0.5
    for parts in figures["parts"]["tiny"].values():
        assert tuple(parts) == tuple(sorted(PARTS))
        assert parts["matrix products"] > 0
    assert "target tokens/s" in result.output


def test_a_job_runs_in_a_process_of_its_own(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = jobs.run_job(Job("plain", "tiny", str(data), threads=1, batch_tokens=100, updates=2))
    assert result["target_tokens_per_second"] > 0
    assert 50 < result["peak_memory_mib"] < 5000


def test_parts_of_threads_add_up_to_the_time_that_passes() -> None:
    def work(_: int) -> None:
        for _ in range(20):
            torch.randn(100, 100) @ torch.randn(100, 100)

    with ThreadPoolExecutor(2) as pool:
        started = time.perf_counter()
        parts = breakdown(lambda rows: list(pool.map(work, range(2))), [np.arange(1)] * 5, 100)
        seconds = time.perf_counter() - started
    assert parts["matrix products"] > 0
    assert 5 * sum(parts.values()) <= seconds
    assert parts["other"] > 0


def test_parts() -> None:
    assert part_of("aten::mm", [[8, 4], [4, 100]], 100) == "matrix products"
    assert part_of("aten::bmm", [[8, 4, 4], [8, 4, 4]], 100) == "attention"
    assert part_of("aten::_softmax", [[8, 4, 4], [], []], 100) == "attention"
    assert part_of("aten::_softmax", [[8, 100], [], []], 100) == "loss"
    assert part_of("aten::bernoulli_", [[8, 100]], 100) == "dropout and random numbers"
    assert part_of("aten::copy_", [[8, 4], [8, 4]], 100) == "element-wise and copies"
    assert part_of("MmBackward0", [], 100) == "other"
