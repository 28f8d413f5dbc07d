"""The benchmark of the kernels, on a model and a batch that take no time."""

from click.testing import CliRunner

import benchmarks.kernels
from benchmarks.configurations import Configuration


def test_the_table_has_a_row_for_each_kind_of_work(monkeypatch):
    monkeypatch.setattr(benchmarks.kernels, "CONFIGURATIONS", {"tiny": Configuration(8, 16, 2, 1)})
    monkeypatch.setattr(benchmarks.kernels, "VOCABULARY_SIZE", 20)
    result = CliRunner().invoke(benchmarks.kernels.main, ["--sentences", "2", "--rounds", "2"], catch_exceptions=False)
    header, _, *rows = [line.strip("| ").split(" | ") for line in result.output.splitlines()]
    assert header == ["work", "reference, ms", "fast, ms", "reference / fast"]
    assert [row[0] for row in rows] == ["training, one update", "greedy search", "beam of 5"]
    assert all(float(number) > 0 for row in rows for number in row[1:])
