import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report.overview import graph, overview
from stageformer.report.pipeline import Stage, read_stages
from tests.report.conftest import make_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stages(runs):
    return read_stages(Experiment.open("./one", runs))


def stage(name, *needs):
    return Stage(name, "", needs, None, None, None, ())


def test_stages_stand_behind_what_they_need(stages):
    # train is first in dvc.yaml; it reads a file of ingest and the folder of vocab.
    assert {found.name: found.needs for found in stages} == {
        "ingest": (), "vocab": ("ingest",), "train": ("ingest", "vocab"), "evaluate": ("train", "ingest"),
    }
    assert [found.name for found in stages] == ["ingest", "vocab", "train", "evaluate"]


def test_the_manifest_of_its_code_is_what_a_stage_needs_if_it_reads_nothing_else():
    needs = {found.name: found.needs for found in read_stages(Experiment.open("workspace", ROOT))}
    assert needs["check"] == ()
    assert needs["ingest"] == ("check",)
    assert needs["tokenize"] == ("ingest",)
    assert [name for name in needs if "check" in needs[name]] == ["ingest"]


def test_sizes_are_those_of_dvc_lock_and_times_those_of_cost_json(stages):
    found = {one.name: one for one in stages}
    assert found["ingest"].size == 3072
    assert found["evaluate"].size is None  # dvc.lock does not know it: it has not run
    assert (found["train"].seconds, found["train"].peak_memory_mib) == (308.1, 812.0)
    assert found["ingest"].seconds is None


def test_overview_of_one(stages):
    found = overview([stages])
    rows = {row.name: row for row in found.stages}
    train = rows["train"]
    assert (train.seconds, train.memory, train.size) == (("5 min 8 s",), ("812.0 MiB",), ("5.5 MiB",))
    assert rows["ingest"].seconds == ("–",)
    (note,) = found.notes
    assert "has left no cost.json" in note
    assert not any(row.change for row in found.stages)


def test_overview_of_two_shows_which_outputs_differ(runs, stages):
    other = read_stages(Experiment.open("./two", runs))
    changes = {row.name: row.change for row in overview([stages, other]).stages}
    assert changes == {
        "ingest": "same output", "vocab": "same output", "train": "output differs", "evaluate": "not run"
    }


def test_a_stage_of_one_experiment_alone(stages):
    (row,) = [row for row in overview([stages[:2], stages]).stages if row.name == "train"]
    assert (row.change, row.seconds) == ("in one only", ("–", "5 min 8 s"))


def test_graph_draws_every_edge_once_and_marks_changes():
    chain = [stage("a"), stage("b", "a"), stage("c", "b", "a"), stage("d", "c", "a", "b"), stage("e")]
    svg = ElementTree.fromstring(graph(chain, {one.name: "note" for one in chain}, frozenset({"d"})))
    edges = [path for path in svg.iter("path") if path.get("class") == "edge"]
    assert len(edges) == sum(len(one.needs) for one in chain)
    assert [group.get("class") for group in svg.iter("g")] == ["stage", "stage", "stage", "stage marked", "stage"]
    assert "c reads b, a" in svg.get("aria-label")


def test_lanes_that_run_beside_each_other_are_apart():
    chain = [stage("a"), stage("b", "a"), stage("c"), stage("d", "a", "b"), stage("e", "b"), stage("f")]
    chain.append(stage("g", "e"))
    svg = graph(chain, {one.name: "" for one in chain})
    runs = {}
    for x, start, end in re.findall(r"Q([\d.]+) [\d.]+ [\d.]+ ([\d.]+)V([\d.]+)Q", svg):
        runs.setdefault((x, start), []).append(float(end))
    spans = [(x, float(start), max(ends)) for (x, start), ends in runs.items()]
    assert len(spans) == 3
    for x, start, end in spans:
        assert not any(other == x and since < end and start < until for other, since, until in spans if since != start)


@pytest.mark.parametrize("content", ["stages: {}\n", "params: []\n"])
def test_no_stages_is_an_error(tmp_path, content):
    (make_run(tmp_path / "run") / "dvc.yaml").write_text(content)
    with pytest.raises(StageformerError, match=r"dvc\.yaml has no stages"):
        read_stages(Experiment.open("./run", tmp_path))


def test_cost_that_is_no_object_is_an_error(tmp_path):
    (make_run(tmp_path / "run") / "reports/train/cost.json").write_text(json.dumps([1]))
    with pytest.raises(StageformerError, match=r"cost\.json: expected a JSON object, found list"):
        read_stages(Experiment.open("./run", tmp_path))
