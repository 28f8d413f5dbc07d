"""What ingest dropped and how often each label is there, as the report shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report.corpus import dropped, labels
from tests.report.conftest import HOSTILE, make_run


def test_reasons_with_their_switch_and_examples(runs: Path) -> None:
    opened = [Experiment.open(f"./{name}", runs) for name in ("one", "two")]
    found = dropped(opened)
    assert [(reason.name, reason.switch, reason.counts) for reason in found] == [
        ("leak", "", ("2", "2")),
        ("no_letters", "ingest.require_letters: false", ("1,200", "1,200")),
        ("duplicate", "ingest.drop_duplicates: false", ("3", "3")),
    ]
    assert found[1].examples == ((HOSTILE, "596", "t.tsv:4"),)
    assert found[0].examples == found[2].examples == ()


def test_the_page_shows_them(pages: Path) -> None:
    page = (pages / "one.html").read_text()
    assert "Pairs that ingest dropped" in page
    assert "<code>ingest.require_letters: false</code>" in page
    assert "Labels, without the 2 rarest" in page
    assert "<td>9,000</td>" in page
    assert "<th scope=\"row\">L50</th>" not in page


def test_the_most_frequent_labels(runs: Path) -> None:
    found = labels([Experiment.open("./one", runs)])
    assert found.rows[0] == ("L0", "9,000", "1", "0")
    assert (len(found.rows), found.left_out) == (50, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics", {"dropped": [1]}),
        ("metrics", {"dropped": {"leak": "many"}}),
        ("dropped_samples", {"no_letters": ["text"]}),
        ("dropped_samples", {"no_letters": 5}),
        ("labels", {"labels": {}}),
        ("labels", {"labels": [{"label": "x"}]}),
        ("labels", {"labels": ["x"]}),
        ("labels", {"labels": [{"label": "x", "train": "y", "valid": 1, "test": 1}]}),
    ],
)
def test_other_content_is_one_line_that_names_the_file(tmp_path: Path, name: str, content: object) -> None:
    root = make_run(tmp_path / "run")
    (root / f"reports/ingest/{name}.json").write_text(json.dumps(content))
    opened = [Experiment.open("./run", tmp_path)]

    def read() -> None:
        dropped(opened)
        labels(opened)

    with pytest.raises(StageformerError, match=f"reports/ingest/{name}.json: is not what ingest writes"):
        read()


def test_a_run_of_before_has_neither(tmp_path: Path) -> None:
    root = make_run(tmp_path / "run")
    for path in (root / "reports/ingest").glob("*.json"):
        path.unlink()
    opened = [Experiment.open("./run", tmp_path)]
    assert dropped(opened) == []
    assert labels(opened).rows == ()
