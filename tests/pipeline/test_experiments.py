"""Experiments compared by DVC's own commands, and the other ways through the same stages."""

from __future__ import annotations

import json
import math

import pytest


def test_an_experiment_is_run_listed_and_compared(repository) -> None:
    printed = repository.dvc("exp", "run", "--name", "two-layers", "-S", "train_decoder.num_layers=2")
    assert "Running stage 'train_decoder'" in printed
    assert "Running stage 'train_encoder'" not in printed
    assert "Running stage 'encode'" not in printed

    baseline = json.loads(repository.dvc("exp", "show", "--json"))[-1]
    (experiment,) = baseline["experiments"]
    (revision,) = experiment["revs"]
    assert experiment["name"] == "two-layers"
    layers = [
        shown["data"]["params"]["params.yaml"]["data"]["train_decoder"]["num_layers"] for shown in (baseline, revision)
    ]
    assert layers == [None, 2]

    params = json.loads(repository.dvc("params", "diff", "--json"))
    assert params == {"params.yaml": {"train_decoder.num_layers": {"old": None, "new": 2}}}

    metrics = json.loads(repository.dvc("metrics", "diff", "--json"))
    changed = ("train_decoder", "translate", "evaluate", "export")
    assert metrics.keys() == {f"reports/{stage}/metrics.json" for stage in changed}
    perplexity = metrics["reports/evaluate/metrics.json"]["perplexity"]
    assert perplexity["diff"] == pytest.approx(perplexity["new"] - perplexity["old"])
    assert perplexity["diff"] != 0

    repository.dvc("plots", "diff", "--out", "drawn")
    page = (repository.root / "drawn/index.html").read_text(encoding="utf-8")
    for title in (
        "Loss while the decoder is trained",
        "reports/train_decoder/plots/metrics/valid_perplexity.tsv",
        "Lengths of the source sentences after cleaning",
        "BLEU by length of the source sentence",
    ):
        assert title in page, title
    assert '"rev": "workspace"' in page
    assert '"rev": "HEAD"' in page
    assert "attention" in page


def test_masked_objective_and_joint_training(repository) -> None:
    repository.set(train_encoder__objective="masked", train_decoder__target_embedding="embed")
    assert repository.repro("train_decoder") == (["check", "train_encoder", "encode", "train_decoder"], [])
    metrics = json.loads((repository.root / "reports/train_encoder/metrics.json").read_text())
    assert metrics["updates"] == 6
    assert math.isfinite(metrics["valid_loss"])

    repository.set(train_decoder__finetune_encoder=True)
    assert repository.repro("train_decoder") == (["check", "train_decoder"], [])


def test_the_joint_way(repository) -> None:
    def memory() -> dict[str, bytes]:
        folder = repository.root / "data/encode"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pt")}

    staged = memory()
    repository.set(train_encoder__way="joint")
    later = ["train_encoder", "encode", "train_decoder", "translate", "evaluate", "export"]
    assert repository.repro() == (["check", *later], [])
    assert json.loads((repository.root / "reports/train_encoder/metrics.json").read_text()) == {"updates": 0}
    scores = json.loads((repository.root / "reports/evaluate/metrics.json").read_text())
    assert math.isfinite(scores["perplexity"])
    assert scores["beam"].keys() == scores["greedy"].keys()
    empty = memory()
    assert empty.keys() == {f"{split}/empty.pt" for split in ("train", "valid", "test")}

    # No parameter of the memory that is not made reruns anything but the stage that does not make it.
    repository.set(encode__dtype="float16", encode__dropout_copies=2)
    assert repository.repro() == (["check", "encode"], [])
    assert memory() == empty

    repository.git("checkout", "params.yaml")
    assert repository.repro() == (["check"], later)
    assert memory() == staged
