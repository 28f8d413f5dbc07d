"""A plan: costs that grow as measured, and what does not fit with the parameter to change."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stageformer.experiments.costs import Cost
from stageformer.experiments.work import STAGES, work_of
from stageformer.planning.basis import Basis
from stageformer.planning.forecast import (
    BYTES_OF_A_PAIR,
    GPU_OPERATIONS,
    GPU_SECONDS_OF_AN_UPDATE,
    Forecast,
    Machines,
    forecast,
)
from stageformer.planning.measured import Measured
from stageformer.terminal.plan_text import plan_json, plan_text
from tests.experiments.test_work import CORPUS, parameters

EACH = 1e-6
PARAMETERS = parameters()


def measured(factor: float) -> Measured:
    """A run on so many times the corpus, of which each stage took 2 s, and then a second for a million of work."""
    corpus = CORPUS.scaled(dict.fromkeys(CORPUS.rows, factor), round(CORPUS.read * factor))
    work = work_of(PARAMETERS, corpus)
    costs = {
        name: Cost(2 + EACH * work[name].time, 1.0, 3 + 2 * EACH * work[name].time, 500.0) for name in STAGES
    }
    return Measured(PARAMETERS, corpus, costs, {name: round(100 + 3 * work[name].disk) for name in STAGES})


def plan(factor: float = 100, machines: Machines | None = None, **changes: object) -> Forecast:
    corpus = CORPUS.scaled(dict.fromkeys(CORPUS.rows, factor), round(CORPUS.read * factor))
    return forecast(parameters(**changes), corpus, [measured(1), measured(8)], machines or Machines(), STAGES)


def test_time_and_disk_grow_with_the_work() -> None:
    planned = plan()
    work = work_of(PARAMETERS, planned.corpus)
    for stage in planned.stages:
        assert stage.seconds == pytest.approx(2 + EACH * work[stage.name].time)
        if work[stage.name].time != work_of(PARAMETERS, CORPUS)[stage.name].time:  # which two points tell
            assert stage.processor_seconds == pytest.approx(3 + 2 * EACH * work[stage.name].time)
        expected = work[stage.name].disk if stage.name == "encode" else 100 + 3 * work[stage.name].disk
        assert stage.disk == pytest.approx(expected, rel=1e-3)
    assert planned.seconds == pytest.approx(sum(stage.seconds for stage in planned.stages))
    assert planned.disk == sum(stage.disk for stage in planned.stages)
    assert planned.epochs["train_encoder"] == pytest.approx(1600 * 2200 / 980_000, rel=1e-3)
    assert planned.misfits == []


def test_machines_share_the_trainings_and_nothing_else() -> None:
    one, four = plan(), plan(machines=Machines(4))
    for before, after in zip(one.stages, four.stages, strict=True):
        shared = before.name in ("train_encoder", "encode", "train_decoder")
        assert after.seconds - 2 == pytest.approx((before.seconds - 2) / (4 if shared else 1))


def test_gpus_have_an_assumed_speed_and_a_least_time_of_an_update() -> None:
    slow = {stage.name: stage for stage in plan(machines=Machines(2, 8)).stages}
    assert slow["train_encoder"].seconds == pytest.approx(2 + 2200 * GPU_SECONDS_OF_AN_UPDATE, rel=0.01)
    assert slow["train_encoder"].processor_seconds is None
    large = {"train_encoder__training__batch_tokens": 10**8, "compute__micro_batch_tokens": 10**6}
    found = {stage.name: stage for stage in plan(1e6, Machines(2, 8), **large).stages}["train_encoder"]
    work = work_of(parameters(**large), plan(1e6).corpus)["train_encoder"].time
    assert found.seconds == pytest.approx(2 + work / (GPU_OPERATIONS * 16), rel=0.01)


def test_memory_grows_with_the_corpus() -> None:
    found = {stage.name: stage.peak_memory for stage in plan(1000).stages}
    read = 1000 * CORPUS.read - 8 * CORPUS.read
    assert found["ingest"] == 500 * 2**20 + BYTES_OF_A_PAIR["ingest"] * read
    ids = 4 * (19_100 + 3 * 900) + 40 * 900
    assert found["train_encoder"] == pytest.approx(500 * 2**20 + (1000 - 8) * ids)
    # A shard is full then: 1,000,000 vectors instead of the 8 * 8,800 of the larger run, twice.
    shard = 2 * 4 * 128 * (1_000_000 - 70_400)
    assert found["encode"] == 500 * 2**20 + shard + BYTES_OF_A_PAIR["encode"] * 992 * 1000
    wider = {stage.name: stage.peak_memory for stage in plan(embed__d_model=512).stages}
    assert wider["train_decoder"] > plan().stages[6].peak_memory  # type: ignore[operator]


def test_what_does_not_fit_names_the_parameter_that_helps() -> None:
    needed = plan().disk
    memory = work_of(PARAMETERS, plan().corpus)["encode"].disk
    (line,) = plan(machines=Machines(disk=round(needed - memory / 4))).misfits
    assert line.startswith("the outputs need ")
    assert "`encode.dtype: float16` saves" in line
    copies = plan(machines=Machines(disk=round(needed)), encode__dropout_copies=3).misfits
    assert "`encode.dropout_copies: 0` saves" in copies[0]
    (line,) = plan(machines=Machines(disk=round(needed - memory * 0.9))).misfits
    assert "`train_encoder.way: joint` saves" in line
    (line,) = plan(machines=Machines(disk=1000)).misfits
    assert line.endswith("and that is not enough; more disk, or fewer pairs")
    assert plan(machines=Machines(4, disk=round(needed / 3))).misfits == [], "four of them have room"


def test_a_stage_without_enough_memory_is_named() -> None:
    lines = plan(1e6, Machines(memory=2**33)).misfits
    assert [line.split()[0] for line in lines] == ["ingest", "tokenize", "vocab", "train_encoder", "encode",
                                                   "train_decoder"]  # fmt: skip
    assert lines[0].startswith("ingest needs 17.3 GiB of memory, and a machine has 8.0 GiB: ")
    assert "`ingest.drop_duplicates: false`" in lines[0]
    assert "each process holds the ids of the corpus" in lines[3]
    (line,) = [line for line in plan(machines=Machines(memory=2**29), embed__d_model=4096,
                                     model__num_heads=64).misfits if line.startswith("train_decoder")]  # fmt: skip
    assert line.endswith(": lower embed.d_model")


def test_more_pairs_leave_splits_with_their_own_files_as_they_are() -> None:
    basis = Basis([measured(1)], CORPUS, STAGES, [])
    assert basis.corpus_of(12_000, PARAMETERS).rows == {"train": 8000, "valid": 1000, "test": 1000}
    files = parameters(ingest__source="tsv", ingest__files__train=["a.tsv"], ingest__files__test=["b.tsv"],
                       ingest__files__source_column="1", ingest__files__target_column="2")  # fmt: skip
    assert basis.corpus_of(12_000, files).rows == {"train": 8000, "valid": 1000, "test": 100}


def test_text_and_json_say_the_same() -> None:
    planned = plan(machines=Machines(2, 8, disk=1000))
    found = json.loads(plan_json(planned))
    assert found["stages"]["ingest"] == {
        "rows": 120_000, "tokens": 0, "seconds": 2.1, "processor_seconds": 3.2, "disk": 300_100,
        "peak_memory": found["stages"]["ingest"]["peak_memory"],
    }  # fmt: skip
    assert found["misfits"] == planned.misfits
    lines = plan_text(planned).splitlines()
    assert lines[0].startswith("120,000 pairs to read, 100,000 of them left: about ")
    assert lines[2].split() == ["ingest", "120,000", "2.1", "3.2", "502", "0.3"]
    assert any(line.startswith("a GPU is assumed to do 20 million million operations") for line in lines)
    assert lines[-1].startswith("does not fit: the outputs need ")
    assert plan_text(replace(planned, misfits=[])).endswith("all of it fits")
