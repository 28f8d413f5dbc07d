"""``environment.json``: all that could change the bits, and nothing that could not. ``cost.json``: what a run took."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.provenance.record import environment, read_environments, write_record

ROOT = Path(__file__).parents[2]
MACHINE = {"python", "system", "machine", "libc", "cpu", "versions"}
TORCH = {"instruction_set", "variables"}


@pytest.fixture
def compute() -> Compute:
    values = read_yaml(ROOT / "recipes/default.yaml")["compute"]
    assert isinstance(values, dict)
    return parse(Compute, values | {"threads": 3}, "compute")


def test_a_stage_without_torch_says_nothing_of_it() -> None:
    script = "import json, stages.ingest, stages.tokenize, stages.vocab; "
    script += "import stageformer.text.tokenizers.bpe; from stageformer.provenance import record; "
    command = [sys.executable, "-c", script + "print(json.dumps(record.environment()))"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found.keys() == MACHINE
    assert {"stageformer", "numpy", "pyarrow", "tokenizers"} <= found["versions"].keys()
    assert "torch" not in found["versions"]


def test_a_stage_with_torch_says_how_it_computes(compute: Compute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert environment().keys() == MACHINE | TORCH
    found = environment(compute)
    assert found.keys() == MACHINE | TORCH | {"threads", "processes", "device"}
    assert found["python"] == platform.python_version()
    assert found["versions"]["torch"] == torch.__version__
    assert found["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    assert found["variables"]["MKL_CBWR"] == "COMPATIBLE"
    assert (found["threads"], found["processes"], found["device"]) == (3, 2, "cpu")
    assert found["cpu"]


def test_written_and_read(compute: Compute, tmp_path: Path) -> None:
    write_record(tmp_path / "encode", compute)
    write_record(tmp_path / "ingest")
    first = (tmp_path / "encode/environment.json").read_bytes()
    write_record(tmp_path / "encode", compute)
    assert (tmp_path / "encode/environment.json").read_bytes() == first
    assert read_environments(tmp_path) == {"encode": environment(compute), "ingest": environment()}
    assert read_environments(tmp_path / "nowhere") == {}


def test_seconds_count_from_the_start_of_the_process_and_memory_at_its_peak(tmp_path: Path) -> None:
    script = (
        "import pathlib, subprocess, sys, time; time.sleep(1.0); block = bytearray(200 * 2**20); del block\n"
        "busy = 'import time; [0 for _ in iter(lambda: time.process_time() < 0.5, False)]'\n"
        "subprocess.run([sys.executable, '-c', busy], check=True)\n"
        "from stageformer.provenance.record import write_record\n"
        f"write_record(pathlib.Path({str(tmp_path)!r}), None, 0.7)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    found = json.loads((tmp_path / "cost.json").read_text())
    assert found.keys() == {"seconds", "processor_seconds", "peak_memory_mib", "start_seconds"}
    assert found["seconds"] >= 1.5
    assert found["processor_seconds"] >= 0.5, "that of the process that it started counts, too"
    assert found["start_seconds"] == 0.7
    assert found["peak_memory_mib"] >= 200


def test_neither_is_an_output_that_dvc_would_hash() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert "cost.json" not in text
    assert "environment.json" not in text
