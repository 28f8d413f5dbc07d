"""Heads as a user runs them: `dvc repro heads/dvc.yaml`, `dvc exp run`, `compare --head` and `predict`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from stageformer.artifacts.tables import read_table
from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.heads.predictor import Predictor
from tests.pipeline.test_killed import start, wait_for_checkpoint
from tests.repositories import NUMBERS, Repository

HEADS = ["train_head", "evaluate_head"]


def stages_of(printed: str) -> list[str]:
    return re.findall(r"^Running stage '(?:heads/dvc\.yaml:)?(\w+)'", printed, re.MULTILINE)


def with_labels(finished: Repository, folder: Path, kind: str) -> Repository:
    """A copy of the repository whose corpus has labels: where a sentence is about, or what kind each word is."""
    repository = finished.copy(folder / "a copy")
    for split in ("train", "valid"):
        lines = (repository.root / f"corpus/{split}.en").read_text(encoding="utf-8").splitlines()
        one = ["inside" if re.search("kitchen|house|here", line) else "outside" for line in lines]
        tags = [" ".join("NUMBER" if word in NUMBERS else "WORD" for word in line.split()) for line in lines]
        labels = "".join(f"{label}\n" for label in (one if kind == "one" else tags))
        (repository.root / f"corpus/{split}.labels").write_text(labels, encoding="utf-8")
    repository.set(
        ingest__labels=kind,
        ingest__files__train=[f"corpus/train.{name}" for name in ("en", "de", "labels")],
        ingest__files__valid=[f"corpus/valid.{name}" for name in ("en", "de", "labels")],
        head__training__max_updates=60, head__training__warmup_updates=5, head__training__validate_every=20,
        head__training__batch_tokens=200,
    )  # fmt: skip
    return repository


@pytest.fixture(scope="module")
def learned(finished: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Labels of sentences, learned and committed."""
    repository = with_labels(finished, tmp_path_factory.mktemp("heads"), "one")
    printed = repository.dvc("repro", "heads/dvc.yaml")
    assert stages_of(printed)[-2:] == HEADS
    assert "train_decoder" not in stages_of(printed)
    repository.commit()
    return repository


def test_the_plain_repro_runs_no_head_and_another_head_encodes_nothing(learned: Repository, tmp_path: Path) -> None:
    repository = learned.copy(tmp_path / "a copy")
    head = (repository.root / "data/train_head/head.pt").read_bytes()
    repository.set(head__pooling="max")
    assert not set(stages_of(repository.dvc("repro"))) & set(HEADS)
    assert (repository.root / "data/train_head/head.pt").read_bytes() == head
    repository.commit()
    printed = repository.dvc("exp", "run", "-S", "head.pooling=attention", "heads/dvc.yaml")
    assert stages_of(printed) == ["check", *HEADS]
    assert (repository.root / "data/train_head/head.pt").read_bytes() != head

    result = CliRunner().invoke(main, ["compare", "--head", "HEAD", "--root", str(repository.root), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["names"] == ["HEAD", "workspace"]
    assert {"parameter": "head.pooling", "old": "max", "new": "attention"} in found["parameters"]
    assert found["differences"].keys() == {"accuracy", "macro_f1"}
    text = CliRunner().invoke(main, ["compare", "--head", "HEAD", "--root", str(repository.root)])
    assert "95 % interval" in text.output


def test_reports_and_predictions_belong_together(learned: Repository) -> None:
    reports = learned.root / "reports/evaluate_head"
    metrics = json.loads((reports / "metrics.json").read_text())
    table = read_table(learned.root / "data/evaluate_head/predictions.parquet", "predictions").to_pydict()
    right = [labels == predicted for labels, predicted in zip(table["labels"], table["predicted"], strict=True)]
    assert metrics["head"]["accuracy"] == pytest.approx(100 * np.mean(right), abs=1e-3)
    assert metrics["head"]["accuracy_low"] <= metrics["head"]["accuracy"] <= metrics["head"]["accuracy_high"]
    assert {"majority", "naive_bayes", "tfidf_logistic_regression"} <= metrics.keys()
    listed = json.loads((reports / "predictions.json").read_text())["sentences"]
    assert listed == [list(row) for row in zip(table["id"], table["labels"], table["predicted"], strict=True)]
    for name in ("confusion", "reliability"):
        assert (reports / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    confusions = (reports / "confusion.csv").read_text().splitlines()
    assert confusions[0] == "actual,predicted,examples"
    assert sum(int(line.rsplit(",", 1)[1]) for line in confusions[1:]) == metrics["examples"]


def test_texts_have_the_labels_of_the_stage_wherever_the_head_is(learned: Repository, tmp_path: Path) -> None:
    table = read_table(learned.root / "data/evaluate_head/predictions.parquet", "predictions").to_pydict()
    sources = read_table(learned.root / "data/ingest/test.parquet", "sentences", ["source"])["source"].to_pylist()
    (tmp_path / "texts.txt").write_text("".join(f"{source}\n" for source in sources))
    exported = tmp_path / "a head"
    run = CliRunner().invoke(main, ["predict", "--export", str(exported), "--root", str(learned.root)])
    assert run.exit_code == 0, run.output
    for place in (["--root", str(learned.root)], ["--model", str(exported)]):
        arguments = ["predict", "--input", str(tmp_path / "texts.txt"), "--output", str(tmp_path / "out"), "--json"]
        run = CliRunner().invoke(main, [*arguments, *place])
        assert run.exit_code == 0, run.output
        found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
        assert [one["labels"] for one in found] == table["predicted"]
        for one, probabilities in zip(found, table["probabilities"], strict=True):
            assert one["probabilities"] == pytest.approx(probabilities, abs=1e-5)
    run = CliRunner().invoke(main, ["predict", "one door", "--model", str(exported)])
    assert re.fullmatch(r"(inside|outside)\t[01]\.\d{4}\n", run.output)
    again = CliRunner().invoke(main, ["predict", "--export", str(exported), "--root", str(learned.root)])
    assert isinstance(again.exception, StageformerError) or "exists already" in again.output
    with pytest.raises(StageformerError, match="neither a repository of Stageformer nor an exported head"):
        Predictor.load(tmp_path)
    assert Predictor.load(exported).predict(["", " "])[0].labels == []


def test_tags_are_learned_and_predicted(finished: Repository, tmp_path: Path) -> None:
    repository = with_labels(finished, tmp_path, "tags")
    repository.set(encode__layers=[0, 1], encode__dtype="float16", export__formats=[])
    repository.set(head__mix=True, head__words="mean")
    printed = repository.dvc("repro", "heads/dvc.yaml")
    assert stages_of(printed)[-2:] == HEADS
    metrics: dict[str, Any] = json.loads((repository.root / "reports/evaluate_head/metrics.json").read_text())
    assert metrics["labels"] == "tags"
    assert metrics["words_without_tokens"] == 0
    assert metrics["most_frequent_tag"]["accuracy"] > metrics["majority"]["accuracy"]
    assert metrics["layer_mix"].keys() == {"0", "1"}
    table = read_table(repository.root / "data/evaluate_head/predictions.parquet", "predictions").to_pydict()
    sources = read_table(repository.root / "data/ingest/test.parquet", "sentences", ["source"])["source"].to_pylist()
    exported = tmp_path / "a head"
    run = CliRunner().invoke(main, ["predict", "--export", str(exported), "--root", str(repository.root)])
    assert run.exit_code == 0, run.output
    # Both read the layers that the head learned from, even where encode.layers is another one by now.
    repository.set(encode__layers="last")
    for folder in (repository.root, exported):
        found = Predictor.load(folder).predict(sources)
        assert [one.labels for one in found] == table["predicted"]
        for one, probabilities in zip(found, table["probabilities"], strict=True):
            assert one.probabilities == pytest.approx(probabilities, abs=2e-3)
    (one,) = Predictor.load(repository.root).predict(["two keys garden"])
    assert one.words == ["two", "keys", "garden"]
    assert len(one.labels) == len(one.probabilities) == 3


def test_a_killed_training_ends_with_the_same_bits(learned: Repository, tmp_path: Path) -> None:
    repository = learned.copy(tmp_path / "a copy")
    repository.set(head__training__max_updates=2000, head__training__validate_every=500, head__hidden_size=64)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    head = repository.root / "data/train_head/head.pt"

    def run(scratch: Path) -> subprocess.Popen[str]:
        return start(repository, scratch, "stages.train_head")

    process = run(tmp_path / "another scratch")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    expected = head.read_bytes()
    head.unlink()
    process = run(scratch)
    wait_for_checkpoint(process, scratch)
    time.sleep(0.2)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.communicate()
    assert not head.exists()
    process = run(scratch)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "resuming after update" in printed
    assert head.read_bytes() == expected


def test_without_labels_it_is_one_line(finished: Repository) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "stages.train_head"], cwd=finished.root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert re.fullmatch(r"error: train: no sentence has labels; choose a corpus with labels .*\n", run.stderr)
