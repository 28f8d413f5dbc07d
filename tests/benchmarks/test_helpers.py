"""What the benchmarks feed on, and what they make of their figures."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.configurations import CONFIGURATIONS, parameters
from benchmarks.jobs import Job, alternate, median, ratio
from benchmarks.pipeline_scale import write_copies
from benchmarks.workers import report
from stageformer.errors import StageformerError


def test_ratios_are_of_the_same_round() -> None:
    slow, fast = [{"x": 1.0}, {"x": 10.0}, {"x": 2.0}], [{"x": 2.0}, {"x": 20.0}, {"x": 8.0}]
    assert ratio(fast, slow, "x") == 2.0
    assert median(fast, "x") == 8.0


def test_each_round_has_the_next_batches_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, int]] = []
    monkeypatch.setattr("benchmarks.jobs.run_job", lambda job: ran.append((job.system, job.first)) or {})
    job = Job("one", "tiny", "", threads=1, batch_tokens=1, updates=7)
    alternate({"one": job, "two": Job("two", "tiny", "", threads=1, batch_tokens=1, updates=7)}, rounds=2)
    assert ran == [("one", 0), ("two", 0), ("one", 7), ("two", 7)]


def test_copies_of_a_corpus_are_distinct(tmp_path: Path) -> None:
    corpus, path = tmp_path / "corpus.tsv.gz", tmp_path / "copies.tsv.gz"
    corpus.write_bytes(gzip.compress(b"one\teins\ntwo\tzwei\n"))
    assert write_copies(corpus, path, copies=3) == 6
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert lines == ["one\teins", "two\tzwei", "one 1\teins 1", "two 1\tzwei 1", "one 2\teins 2", "two 2\tzwei 2"]


def test_what_workers_gain_and_how_work_grows() -> None:
    def measured(pairs: int, workers: int, seconds: float, core: float, memory: float) -> dict[str, object]:
        figures = {"seconds": seconds, "processor_seconds": core, "peak_memory_mib": memory}
        return {"stage": "ingest", "pairs": pairs, "workers": workers} | figures

    text = report([measured(10, 1, 4, 4, 100), measured(10, 2, 2, 5, 90),
                   measured(100, 1, 40, 40, 110), measured(100, 2, 16, 500, 99)])  # fmt: skip
    rows = [line.split() for line in text.splitlines()[1:]]
    assert rows == [
        ["ingest", "10", "1", "4.0", "1.00", "4.0", "100"],
        ["ingest", "10", "2", "2.0", "2.00", "5.0", "90"],
        ["ingest", "100", "1", "40.0", "1.00", "40.0", "1.00", "110", "+10%"],
        ["ingest", "100", "2", "16.0", "2.50", "500.0", "2.00", "99", "+10%"],
    ]


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(StageformerError, match="micro_batch_tokens"):
        parameters(CONFIGURATIONS["tiny"], {"compute.micro_batch_token": 1})
