"""Samples of a corpus, and runs of the stages on them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError
from stageformer.experiments.work import STAGES, Corpus
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import load_recipe
from stageformer.planning import calibration
from stageformer.planning.calibration import Sample, calibrate, sample_values

ROOT = Path(__file__).parents[2]


def records(number: int) -> list[Record | Rejected]:
    """Pairs of which every third is a duplicate of the one before, and a rejected record for ten of them."""
    found: list[Record | Rejected] = []
    for place in range(number):
        which = place - 1 if place % 3 == 2 else place
        found.append(Record(f"the source {which}", f"das Ziel {which}", "", f"f:{place}"))
        if place % 10 == 0:
            found.append(Rejected("empty", f"f:{place}", None))
    return found


def test_a_sample_has_the_share_of_duplicates_of_the_corpus() -> None:
    sample = Sample.of(records(30_000), 1000)
    assert (sample.read, sample.pairs) == (33_000, 30_000)
    assert 900 < len(sample.records) <= 2000
    sources = [record.source for _, record in sample.records]
    assert len(set(sources)) / len(sources) == pytest.approx(2 / 3, abs=0.04)
    # A source is in it as often as in the corpus.
    assert all(sources.count(f"the source {which}") == (2 if which % 3 == 1 else 1)
               for which in (int(source.split()[-1]) for source in sources[:50]))  # fmt: skip
    assert sample.factor == pytest.approx(30_000 / len(sources))
    smaller = sample.part(100)
    assert {record.where for _, record in smaller.records} < {record.where for _, record in sample.records}
    assert 95 <= len(smaller.records) <= 105
    assert Sample.of(records(90), 1000).factor == 1


def test_repeated_corpora_count_as_often_as_they_are_repeated() -> None:
    pairs = [Record(str(number), "x", "", "f", weight=3 if number % 2 else 1) for number in range(100)]
    assert Sample.of(pairs, 1000).factor == 2


def test_the_parameters_of_a_sample_are_those_of_the_run_but_for_its_size() -> None:
    params = check(load_recipe("tiny", ROOT / "recipes"))
    samples = {"train": Sample.of(records(100), 1000)}
    values: Any = sample_values(params, samples, 1.0)
    changed = check(values)
    assert changed.model == params.model
    assert changed.compute == params.compute
    assert changed.tokenize == params.tokenize
    assert changed.ingest.files.train == ["sample-train.jsonl"]
    assert changed.ingest.files.group_column is None
    small: Any = sample_values(params, samples, 0.125)
    updates = [each["train_encoder"]["training"]["max_updates"] for each in (small, values)]
    assert updates == [8, 60]
    assert changed.train_decoder.training.batch_tokens == params.train_decoder.training.batch_tokens


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("src", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    return tmp_path


def toy(root: Path, lines: int) -> Parameters:
    rows = [record for record in records(lines) if isinstance(record, Record)]
    (root / "pairs.tsv").write_text("".join(f"{row.source}\t{row.target}\n" for row in rows))
    values: Any = read_yaml(ROOT / "recipes/default.yaml")
    values["ingest"]["source"] = "tsv"
    values["ingest"]["files"] |= {"train": ["pairs.tsv"], "source_column": "1", "target_column": "2"}
    values["tokenize"]["source"]["vocabulary_size"] = 100
    return check(values)


def test_the_stages_run_on_samples_and_tell_the_size_of_the_corpus(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "PAIRS", (150, 400))
    monkeypatch.chdir(root)
    params = toy(root, 3000)
    runs, corpus = calibrate(params, root, STAGES[:3])
    assert [sum(run.corpus.rows.values()) for run in runs] == pytest.approx([100, 267], abs=25)
    assert all(run.costs[stage].processor_seconds for run in runs for stage in STAGES[:3])  # type: ignore[operator]
    assert all(run.sizes[stage] > 1000 for run in runs for stage in STAGES[:3])
    assert corpus.read == 3000
    assert sum(corpus.rows.values()) == pytest.approx(2000, rel=0.1)
    assert corpus.source_tokens["train"] / corpus.rows["train"] == pytest.approx(
        runs[1].corpus.source_tokens["train"] / runs[1].corpus.rows["train"], rel=0.01
    )
    assert isinstance(corpus, Corpus)
    assert not list(root.glob("data*"))


def test_a_stage_that_fails_on_the_sample_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(StageformerError, match=r"^plan: ingest failed on 3 pairs of the corpus, .*sentences left"):
        calibrate(toy(root, 3), root, STAGES[:3])
