"""How a cost grows with work, as runs that were measured tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.costs import Cost, Growth, growth_of_seconds
from stageformer.experiments.experiment import WORKSPACE, Experiment


def test_two_runs_tell_what_is_always_there_and_what_grows() -> None:
    growth = Growth.of([(10, 25.0), (110, 225.0)])
    assert (growth.fixed, growth.each) == pytest.approx((5, 2))
    assert growth.at(1000) == pytest.approx(2005)


def test_one_run_grows_above_its_start() -> None:
    assert Growth.of([(10, 25.0)], fixed=5).at(30) == pytest.approx(65)
    assert Growth.of([(10, 25.0)]).at(20) == pytest.approx(50)
    assert Growth.of([(10, 3.0)], fixed=5) == Growth(3.0, 0.0), "a start cannot be longer than the whole"
    assert Growth.of([(0, 7.0)], fixed=5).at(100) == 7, "without work, there is nothing to grow with"


def test_neither_part_is_negative() -> None:
    assert Growth.of([(10, 30.0), (20, 20.0)]) == Growth(25.0, 0.0)
    steep = Growth.of([(10, 10.0), (20, 40.0)])  # the line through both begins at -20
    assert steep.fixed == 0
    assert steep.each == pytest.approx((10 * 10 + 20 * 40) / (10**2 + 20**2))


def test_seconds_grow_above_the_mean_start_of_all_runs() -> None:
    runs = [(10.0, Cost(12.0, 2.0, None, None)), (10.0, Cost(14.0, 4.0, None, None))]
    growth = growth_of_seconds(runs)
    assert growth is not None
    assert growth.at(20) == pytest.approx(3 + 20)
    assert growth_of_seconds([]) is None


def test_costs_are_read_as_stages_and_earlier_versions_wrote_them(tmp_path: Path) -> None:
    run, path = Experiment.open(WORKSPACE, tmp_path), tmp_path / "reports/vocab/cost.json"
    assert Cost.read(run, "vocab") is None
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"seconds": 3.5, "start_seconds": 1, "processor_seconds": 4, "peak_memory_mib": None}))
    assert Cost.read(run, "vocab") == Cost(3.5, 1.0, 4.0, None)
    path.write_text('{"seconds": 3.5, "peak_memory_mib": 100}')
    assert Cost.read(run, "vocab") == Cost(3.5, 0.0, None, 100.0)
    for damaged in ('{"seconds": "x"}', "[1]", "{"):
        path.write_text(damaged)
        with pytest.raises(StageformerError, match=r"reports/vocab/cost\.json: not "):
            Cost.read(run, "vocab")
