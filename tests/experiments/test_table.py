"""Any number of experiments side by side."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from click.testing import CliRunner, Result

from stageformer.artifacts.files import write_json
from stageformer.artifacts.reading import read_json
from stageformer.cli import main
from stageformer.experiments.contents import read_translations
from stageformer.experiments.experiment import Experiment
from stageformer.experiments.table import make_table
from stageformer.scoring.significance import NUM_SAMPLES, SEED
from stageformer.terminal.table_text import latex, markdown
from tests.experiments.test_comparison import write

NAMES = ("good", "bad", "worse_100%")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    parameters = {
        "good": "embed: {kind: null, seed: 1}\ntrain_encoder: {num_layers: 2}\ntrain_decoder: {num_layers: 1}\n",
        "bad": "embed: {kind: a|b_c, seed: 1}\ntrain_encoder: {num_layers: 3}\ntrain_decoder: {num_layers: 1}\n",
        "worse_100%": "embed: {seed: 1}\ntrain_encoder: {num_layers: 3}\ntrain_decoder: {num_layers: 4}\n",
    }
    for share, name in zip((0.1, 0.4, 0.6), NAMES, strict=True):
        write(folder / name, share, 1)
        (folder / name / "params.yaml").write_text(parameters[name])
    return folder


def run(root: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["table", *(f"../{name}" for name in NAMES), *arguments, "--root", str(root)])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def here(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(root / "good")
    return root / "good"


def test_parameters_that_differ_and_scores_of_the_metrics(here: Path) -> None:
    found = json.loads(run(here, "--json").stdout)
    assert found == json.loads(run(here, "--format", "json").stdout)
    assert found["parameters"] == ["embed.kind", "train_encoder.num_layers", "train_decoder.num_layers"]
    assert [row["parameters"] for row in found["experiments"]] == [
        {"embed.kind": None, "train_encoder.num_layers": 2, "train_decoder.num_layers": 1},
        {"embed.kind": "a|b_c", "train_encoder.num_layers": 3, "train_decoder.num_layers": 1},
        {"train_encoder.num_layers": 3, "train_decoder.num_layers": 4},
    ]
    for name, row in zip(NAMES, found["experiments"], strict=True):
        metrics = read_json(here.parent / name / "reports/evaluate/metrics.json")
        assert row["experiment"] == f"../{name}"
        assert row["scores"] == metrics["beam"]
        assert row["signatures"]["bleu"] == metrics["bleu_signature"]
        assert all(low < row["scores"][score] < high for score, (low, high) in row["intervals"].items())
    assert found["notes"] == []


def test_the_interval_is_that_of_sacrebleu_on_the_same_samples(root: Path) -> None:
    """Each sample is scored from its sentences, not from sums of counts."""
    row = make_table([Experiment.open("bad", root)]).rows[0]
    sentences = read_translations(Experiment.open("bad", root))
    rows = np.random.default_rng(SEED).choice(60, size=(NUM_SAMPLES, 60), replace=True)
    scores = []
    for sample in rows[:200]:
        references = [[sentences[i].references[n] if n < len(sentences[i].references) else None for i in sample]
                      for n in range(2)]
        scores.append(sacrebleu.corpus_bleu([sentences[i].translation for i in sample], references).score)
    low, high = np.percentile(scores, [2.5, 97.5])
    # 200 of the samples give the ends of the 1,000 but for a few tenths of the width.
    width = high - low
    assert row.intervals["bleu"].low == pytest.approx(low, abs=width / 5)
    assert row.intervals["bleu"].high == pytest.approx(high, abs=width / 5)
    assert row.intervals["bleu"].high - row.intervals["bleu"].low > width / 2


def test_text_for_a_terminal(here: Path) -> None:
    lines = run(here).stdout.splitlines()
    assert lines[0].split()[:4] == ["experiment", "kind", "train_encoder.num_layers", "train_decoder.num_layers"]
    bleu = read_json(here / "reports/evaluate/metrics.json")["beam"]["bleu"]
    assert lines[1].split()[:5] == ["../good", "null", "2", "1", f"{bleu:.2f}"]
    assert lines[3].split()[:4] == ["../worse_100%", "–", "3", "4"]
    assert "length ratio" not in lines[0]
    assert any(line.startswith("  BLEU  nrefs:var|case:mixed") for line in lines)


def test_csv_is_for_programs(here: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(here, "--format", "csv").stdout)))
    found = json.loads(run(here, "--json").stdout)["experiments"]
    assert [row["embed.kind"] for row in rows] == ["null", "a|b_c", ""]
    for row, expected in zip(rows, found, strict=True):
        assert float(row["bleu"]) == expected["scores"]["bleu"]
        assert [float(row["chrf_low"]), float(row["chrf_high"])] == expected["intervals"]["chrf"]


def test_markdown_and_latex_escape_what_they_would_read(root: Path) -> None:
    table = make_table([Experiment.open(name, root) for name in NAMES])
    lines = markdown(table).splitlines()
    assert lines[0].startswith("| experiment | kind | train\\_encoder.num\\_layers |")
    assert lines[1].startswith("| --- | ---: |")
    assert lines[3].startswith("| bad | a\\|b\\_c | 3 | 1 |")
    lines = latex(table).splitlines()
    assert "    worse\\_100\\% & -- & 3 & 4 & " in lines[-3]
    assert all(line.count("&") == lines[3].count("&") for line in (lines[5], lines[6], lines[7]))


def test_other_test_sets_and_other_kinds_of_scores_are_noted(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root / "bad", tmp_path / "copy")
    metrics = read_json(copy / "reports/evaluate/metrics.json")
    changed = metrics["bleu_signature"].replace("case:mixed", "case:lc")
    write_json(copy / "reports/evaluate/metrics.json", metrics | {"bleu_signature": changed})
    write(tmp_path / "other", 0.1, 1, changes={5: "another source"})
    (tmp_path / "other/params.yaml").write_text("embed: {seed: 1}\n")
    table = make_table([Experiment.open(spec, root) for spec in ("good", str(copy), str(tmp_path / "other"))])
    kinds, sets = table.notes
    assert kinds == (
        f"not comparable: BLEU is of different kinds: {metrics['bleu_signature']} in good, {tmp_path / 'other'}; "
        f"{changed} in {copy}"
    )
    assert sets.startswith(f"not comparable: good and {tmp_path / 'other'} have different test sets: 1 of 60 sentences")


def test_the_same_parameters_leave_scores_alone(root: Path) -> None:
    table = make_table([Experiment.open("good", root)] * 2)
    assert table.parameters == []
    assert table.rows[0] == table.rows[1]
