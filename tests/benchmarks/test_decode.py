"""A run on a toy corpus: what is printed and written, and that the systems translate alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import decode, decode_worker, processes
from benchmarks.configurations import ROOT
from benchmarks.decode import DecodeJob


def in_this_process(job: DecodeJob) -> dict[str, Any]:
    return {"peak_memory_mib": 100.0} | json.loads(json.dumps(decode_worker.run(job)))


def test_a_toy_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(decode, "run_job", in_this_process)
    json_path = tmp_path / "figures.json"
    result = CliRunner().invoke(
        decode.main,
        ["--data", str(data), "--threads", "1", "--rounds", "1", "--sentences", "10", "--batch-tokens", "40",
         "--batch-tokens", "80", "--json", str(json_path)],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    figures = json.loads(json_path.read_text())
    assert {"cpu", "cores", "threads", "torch"} <= figures["machine"].keys()
    assert figures["sentences"] == 10
    systems = [name for name in decode.PACKAGES if decode.is_installed(name)]
    assert [(one["system"], one["mode"]) for one in figures["results"]] == [
        (system, mode) for mode in ("greedy", "beam5") for system in systems
    ]
    for one in figures["results"]:
        assert {"sentences_per_second", "peak_memory_mib"} <= one.keys()
        assert one["batch_tokens"] in (40, 80)
        if one["system"] == "marian":
            assert one["equal_outputs"] == 1.0
        if (one["system"], one["mode"]) == ("ctranslate2", "greedy"):
            assert one["equal_outputs"] >= 0.9
    assert "sentences/s" in result.output


@pytest.mark.parametrize("mode", decode.MODES)
def test_every_output_is_as_long_as_the_others(
    data: Path, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    job = DecodeJob("convert", mode, str(data), str(tmp_path), threads=1, sentences=5, batch_tokens=(100,))
    decode_worker.run(job)
    for system in filter(decode.is_installed, decode.PACKAGES):
        found = decode_worker.run(DecodeJob(**vars(job) | {"system": system}))
        assert {len(ids) for ids in found["ids"]} == {decode_worker.LENGTH - 1}
        assert found["sentences_per_second"] > 0


def test_the_share_of_equals() -> None:
    assert decode.share_of_equals([[1, 2], [3]], [[1, 2], [4]]) == 0.5


def test_a_job_runs_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def run(arguments: list[str], threads: int) -> processes.Finished:
        ran.append((arguments, threads))
        return processes.Finished('{"ids": []}', 1.0, 123.0, 0.5)

    monkeypatch.setattr(decode, "run", run)
    job = DecodeJob("marian", "greedy", "", "", threads=2, sentences=1, batch_tokens=(7,))
    assert decode.run_job(job) == {"ids": [], "peak_memory_mib": 123.0}
    (arguments, threads), = ran
    assert arguments[:2] == ["-m", "benchmarks.decode_worker"]
    assert json.loads(arguments[2])["batch_tokens"] == [7]
    assert threads == 2
