import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from stageformer.artifacts.tables import read_table, write_table
from stageformer.memory.store import write_empty_memory
from stages.translate import main

HYPOTHESES = "data/translate/hypotheses.parquet"
METRICS = "reports/translate/metrics.json"


@pytest.fixture
def root(toy_root, tmp_path, monkeypatch):
    root = shutil.copytree(toy_root, tmp_path / "root")
    monkeypatch.chdir(root)
    return root


def run():
    return CliRunner().invoke(main, [])


def contents(root):
    return [(root / path).read_bytes() for path in (HYPOTHESES, METRICS)]


def test_the_stage_writes_what_it_says(root):
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stderr.count("sentences/s") >= 2
    table = pd.read_parquet(root / HYPOTHESES)
    assert list(table["id"]) == list(range(100, 140))
    ids = read_table(root / "data/vocab/test.parquet", "ids").to_pydict()["target_ids"]
    for search in ("beam_ids", "greedy_ids"):
        right = [list(found) == target[1:-1] for found, target in zip(table[search], ids, strict=True)]
        assert np.mean(right) > 0.6
    # The default's penalty of a translation of n tokens and <eos>, alpha 0.6.
    penalty = ((5 + table["beam_ids"].map(len) + 1) / 6) ** 0.6
    np.testing.assert_allclose(table["beam_score"], table["beam_log_probability"] / penalty, rtol=1e-5)
    # Where the search finds the target itself, both ways to its probability agree.
    same = [list(found) == target[1:-1] for found, target in zip(table["beam_ids"], ids, strict=True)]
    np.testing.assert_allclose(
        table["beam_log_probability"][same], table["target_log_probability"][same], rtol=1e-3, atol=1e-4
    )
    metrics = json.loads((root / METRICS).read_text())
    assert metrics == {
        "split": "test", "sentences": 40, "beam_tokens": int(table["beam_ids"].map(len).sum()),
        "greedy_tokens": int(table["greedy_ids"].map(len).sum()), "perplexity": metrics["perplexity"],
    }  # fmt: skip
    tokens = sum(len(target) - 1 for target in ids)
    assert metrics["perplexity"] == round(np.exp(-table["target_log_probability"].sum() / tokens), 4)
    assert 1 < metrics["perplexity"] < 1.2


def test_the_same_inputs_give_the_same_bytes(root):
    run()
    first = contents(root)
    run()
    assert contents(root) == first


def test_memory_of_another_encoder_is_not_used(root):
    run()
    staged = contents(root)
    # The memory is still there, but worth nothing: the right result must come from the encoder of the model.
    path = root / "data/encode/test/memory-00000.pt"
    content = torch.load(path, weights_only=True)
    content["tensors"]["values"].zero_()
    torch.save(content, path)
    run()
    assert json.loads((root / METRICS).read_text())["perplexity"] > 2, "with the encoder's fingerprint, memory is used"
    content["metadata"]["fingerprint"] = "another"
    torch.save(content, path)
    run()
    # Batches of other sentences round otherwise, by a bit.
    now = pd.read_parquet(root / HYPOTHESES)
    shutil.rmtree(root / "data/translate")
    (root / "data/translate").mkdir()
    (root / HYPOTHESES).write_bytes(staged[0])
    before = pd.read_parquet(root / HYPOTHESES)
    assert [list(ids) for ids in now["beam_ids"]] == [list(ids) for ids in before["beam_ids"]]
    np.testing.assert_allclose(now["target_log_probability"], before["target_log_probability"], rtol=1e-3, atol=1e-5)


def test_without_memory_the_encoder_runs(root):
    run()
    staged = pd.read_parquet(root / HYPOTHESES)
    write_empty_memory(root / "data/encode/test")
    assert run().exit_code == 0
    joint = pd.read_parquet(root / HYPOTHESES)
    assert [list(ids) for ids in joint["beam_ids"]] == [list(ids) for ids in staged["beam_ids"]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "data/train_decoder/model.pt").unlink(), "model.pt: no such file"),
        (lambda root: (root / "data/vocab/test.parquet").write_bytes(b"PAR1"), "test.parquet: not a readable Parquet"),
        (lambda root: shutil.rmtree(root / "data/encode"), "holds no memory"),
        (
            lambda root: write_table(root / "data/vocab/test.parquet", "ids", []),
            "the split test holds no sentences to translate; choose another",
        ),
    ],
)
def test_bad_input_is_one_line(root, damage, message):
    damage(root)
    result = run()
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (root / "reports").exists()
