"""How much the stages have to do, against numbers computed by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from stageformer.compute.disk import ITEM_BYTES, required_bytes
from stageformer.errors import StageformerError
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.experiments.work import OPERATIONS_OF_AN_ACTIVATION, STAGES, Corpus, training_time, work_of
from stageformer.memory.store import DTYPES
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import read_yaml

ROOT = Path(__file__).parents[2]
DEFAULT: Any = read_yaml(ROOT / "recipes/default.yaml")
CORPUS = Corpus(
    read=1200,
    rows={"train": 800, "valid": 100, "test": 100},
    source_tokens={"train": 8000, "valid": 1000, "test": 900},
    target_tokens={"train": 9000, "valid": 1100, "test": 1000},
    vocabulary=(500, 500),
)


def parameters(**changes: Any) -> Parameters:
    values = copy.deepcopy(DEFAULT)
    for name, value in changes.items():
        *groups, leaf = name.split("__")
        place = values
        for group in groups:
            place = place[group]
        assert leaf in place
        place[leaf] = value
    return check(values)


def test_the_size_of_a_corpus_is_that_of_the_reports(tmp_path: Path) -> None:
    reports: dict[str, Any] = {
        "ingest": {"read": 1200, "sentences": CORPUS.rows},
        "tokenize": {
            split: {side: {"tokens": counts[split]} for side, counts in
                    (("source", CORPUS.source_tokens), ("target", CORPUS.target_tokens))}
            for split in CORPUS.rows
        },
        "vocab": {"vocabulary": {"shared": {"size": 500}}},
    }  # fmt: skip
    for name, metrics in reports.items():
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "metrics.json").write_text(json.dumps(metrics))
    run = Experiment.open(WORKSPACE, tmp_path)
    assert Corpus.of(run) == CORPUS
    own = {"vocabulary": {"source": {"size": 7}, "target": {"size": 8}}}
    (tmp_path / "reports/vocab/metrics.json").write_text(json.dumps(own))
    assert Corpus.of(run).vocabulary == (7, 8)
    (tmp_path / "reports/tokenize/metrics.json").write_text("{}")
    with pytest.raises(StageformerError, match="run `dvc repro --force vocab`"):
        Corpus.of(run)


def test_a_corpus_grows_by_split() -> None:
    larger = CORPUS.scaled({"train": 10, "valid": 1, "test": 0.5}, 5000)
    assert (larger.read, larger.rows) == (5000, {"train": 8000, "valid": 100, "test": 50})
    assert larger.source_tokens == {"train": 80_000, "valid": 1000, "test": 450}
    assert larger.memory_tokens == {"train": 88_000, "valid": 1100, "test": 500}


def test_the_arithmetic_of_a_training_is_two_operations_for_each_weight() -> None:
    names = {"batch_tokens": 100, "max_updates": 200, "warmup_updates": 0, "validate_every": 100}
    params = parameters(**{f"train_encoder__training__{name}": value for name, value in names.items()})
    d, f, rest = 128, 256, 4 * 3 * 128  # biases and layer norms, about
    layer = 4 * d * d + 2 * d * f + f
    encoder, shallow = 4 * layer, 2 * (layer + 4 * d * d)
    products = 2 * (encoder + shallow + 500 * d)
    between = OPERATIONS_OF_AN_ACTIVATION * 6 * (12 * d + 3 * f)
    tokens, validated = 200 * 100, 2 * (1100 + 100)
    found = work_of(params, CORPUS)["train_encoder"]
    assert found.time == pytest.approx((products + between) * (3 * tokens + validated), rel=12 * rest / encoder)
    assert (found.tokens, found.rows) == (tokens, round(tokens * 800 / 9800))


def test_a_batch_is_no_larger_than_the_corpus() -> None:
    params = parameters(train_decoder__training__batch_tokens=1_000_000)
    assert work_of(params, CORPUS)["train_decoder"].tokens == 9800 * params.train_decoder.training.max_updates


def test_who_trains_what() -> None:
    staged, joint = parameters(), parameters(train_encoder__way="joint")
    assert work_of(joint, CORPUS)["train_encoder"].time == 0
    assert training_time(joint, "train_encoder") == 0
    assert work_of(joint, CORPUS)["encode"].disk == work_of(joint, CORPUS)["encode"].time == 0
    assert training_time(joint, "train_decoder") > 1.5 * training_time(staged, "train_decoder")
    deeper = parameters(train_decoder__num_layers=4)
    assert 1.5 < training_time(deeper, "train_decoder") / training_time(staged, "train_decoder") < 2


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_disk_of_the_memory_is_exact(dtype: str) -> None:
    assert ITEM_BYTES[dtype] == DTYPES[dtype].itemsize
    params = parameters(encode__dtype=dtype, encode__dropout_copies=2, encode__shard_tokens=5000)
    train, others = required_bytes(8800, 800, 128, dtype, 2), [required_bytes(n, 100, 128, dtype) for n in (1100, 1000)]
    found = work_of(params, CORPUS)["encode"]
    assert found.disk == 3 * train + sum(others)
    assert (found.rows, found.tokens) == (3 * 800 + 200, 3 * 8800 + 2100)
    layers = parameters(encode__layers="all", export__formats=[])
    assert work_of(layers, CORPUS)["encode"].disk == pytest.approx(5 * work_of(parameters(), CORPUS)["encode"].disk,
                                                                   rel=0.01)  # fmt: skip


def test_every_stage_has_its_work() -> None:
    work = work_of(parameters(), CORPUS)
    assert tuple(work) == STAGES
    assert (work["ingest"].rows, work["ingest"].disk) == (1200, 1000)
    assert work["vocab"].tokens == 9900 + 11_100
    assert (work["translate"].rows, work["translate"].tokens) == (100, 1100)
    assert work["embed"].disk == 4 * (500 * 128 + 2 * 512 * 128)
