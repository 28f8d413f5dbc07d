"""Learning from memory: as scikit-learn does on the same features, and to the bit whatever the number of threads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from stageformer.building.weights import weights_of
from stageformer.errors import StageformerError
from stageformer.heads.examples import UNSEEN, check_seen, label_names, targets
from stageformer.heads.model import Head, HeadConfig
from stageformer.heads.task import HeadTask, head_task, label_weights
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.reading import read_yaml
from stageformer.training.loop import train
from tests.heads.made import ROOT, params, read, words_tokenizer, write_split

CPU = torch.device("cpu")
NAMES = ["door", "lamp", "sensor"]


def compute(threads: int = 1) -> Compute:
    values: Any = read_yaml(ROOT / "recipes/default.yaml")["compute"]
    return parse(Compute, values | {"threads": threads, "micro_batch_tokens": 64}, "compute")


def make_corpus(folder: Path, kind: str = "one", sentences: int = 90) -> Any:
    """Sentences of which each label shifts the vectors, with noise, so that no head is right about all."""
    generator = np.random.default_rng(3)
    tokenizer = words_tokenizer(["on off up"])
    for split, first_id in (("train", 10), ("valid", 1000)):
        texts, labels, vectors = [], [], []
        for _ in range(sentences):
            words = generator.integers(1, 5)
            texts.append(" ".join(generator.choice(["on", "off", "up"], words)))
            classes = generator.integers(0, 3, size=words if kind == "tags" else 1)
            center = np.eye(3)[classes] * 1.5
            noise = generator.normal(size=(words + 1, 6))
            noise[:words, :3] += center if kind == "tags" else np.repeat(center, words, 0)
            vectors.append(torch.from_numpy(noise).float())
            chosen = [NAMES[number] for number in classes]
            if kind == "several":
                chosen = [*chosen, "new"] if generator.random() < 0.3 else chosen
            labels.append(chosen)
        write_split(folder, split, texts, labels, vectors, tokenizer, first_id=first_id)
    return tokenizer


def task_of(folder: Path, kind: str, tokenizer: Any, **changes: Any) -> tuple[HeadTask, list[str], Any]:
    head = params(**changes)
    splits = {split: read(folder, split, kind, tokenizer) for split in ("train", "valid")}
    task, names = head_task(head, splits, CPU)
    return task, names, head


CONVERGED = {
    "dropout": 0.0, "training__max_updates": 3000, "training__learning_rate": 0.05, "training__schedule": "cosine",
    "training__batch_tokens": 100_000, "training__validate_every": 3000, "training__keep": "last",
    "training__adam_beta2": 0.999,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["one", "several", "tags"])
def test_a_linear_head_is_scikit_learns_logistic_regression(tmp_path: Path, kind: str) -> None:
    tokenizer = make_corpus(tmp_path, kind)
    task, names, head = task_of(tmp_path, kind, tokenizer, **CONVERGED)
    train(task, head.training, compute(), lambda update, values: None, "toy")
    features, wanted = features_of(task)
    model = LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-10)
    if kind == "several":
        one_by_one = OneVsRestClassifier(model).fit(features, wanted)
        probabilities = one_by_one.predict_proba(features)
        theirs = -(wanted * np.log(probabilities) + (1 - wanted) * np.log(1 - probabilities)).sum(1).mean()
        accuracy = (one_by_one.predict(features) == wanted).all(1).mean()
    else:
        model.fit(features, wanted)
        theirs = -np.log(model.predict_proba(features)[np.arange(len(wanted)), wanted]).mean()
        accuracy = model.score(features, wanted)
    task.model.eval()
    with torch.no_grad():
        loss = task.loss("train", np.arange(len(task.ids("train"))))
    assert float(loss.total) / loss.num_targets == pytest.approx(theirs, abs=1e-3)
    assert float(loss.sums["correct"]) / loss.num_targets == pytest.approx(accuracy, abs=1e-3)
    assert accuracy < 1  # or the weights would grow without end
    assert names == sorted({label for labels in task.splits["train"].labels for label in labels})


def features_of(task: HeadTask) -> tuple[np.ndarray, np.ndarray]:
    """The features of train by NumPy, not through the head, and what is to be predicted."""
    labelled = task.splits["train"]
    found = []
    for row, text in enumerate(labelled.texts):
        (memory,), _ = labelled.store.batch(labelled.rows[row : row + 1])
        vectors = memory.double().numpy()
        found.append(vectors[: len(text.split())] if labelled.kind == "tags" else vectors.mean(0, keepdims=True))
    wanted = task.targets["train"].numpy()
    return np.concatenate(found), wanted.astype(int)


@pytest.mark.parametrize("kind", ["one", "tags"])
def test_threads_change_no_bit(tmp_path: Path, kind: str) -> None:
    tokenizer = make_corpus(tmp_path, kind)
    changes = {
        "training__max_updates": 40, "training__warmup_updates": 5, "training__validate_every": 20, "hidden_size": 8,
        "training__batch_tokens": 200,
    }  # fmt: skip
    weights = []
    for threads in (1, 2):
        task, _, head = task_of(tmp_path, kind, tokenizer, pooling="attention", **changes)
        train(task, head.training, compute(threads), lambda update, values: None, "toy")
        weights.append(weights_of(task.model))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    initial, _, _ = task_of(tmp_path, kind, tokenizer, pooling="attention", **changes)
    assert not all(torch.equal(weight, weights[0][name]) for name, weight in weights_of(initial.model).items())


def test_rare_labels_count_more_where_asked_for() -> None:
    assert label_weights(torch.tensor([0, 0, 0, 1]), "one", 2).tolist() == pytest.approx([4 / 6, 2.0])
    several = torch.tensor([[True, False], [True, True], [True, False], [False, False]])
    assert label_weights(several, "several", 2).tolist() == pytest.approx([1 / 3, 3.0])


def test_the_loss_is_that_of_torch(tmp_path: Path) -> None:
    tokenizer = make_corpus(tmp_path)
    task, _, _ = task_of(
        tmp_path, "one", tokenizer, class_weights="balanced", training__label_smoothing=0.1, standardize=False
    )
    task.model.eval()
    rows = np.array([4, 0, 7])
    loss = task.loss("valid", rows)
    pooled = []
    for row in rows:
        (memory,), _ = task.splits["valid"].store.batch(np.array([row]))
        pooled.append(memory.mean(0))
    logits = task.model.output(torch.stack(pooled))
    expected = F.cross_entropy(
        logits, task.targets["valid"][rows], task.weights, label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(loss.total, expected)
    assert loss.num_targets == 3


def test_one_layer_or_a_mix_of_all_is_read() -> None:
    generator = torch.Generator().manual_seed(1)
    memory, present = torch.randn(2, 3, 8, generator=generator), torch.ones(2, 3, dtype=torch.bool)

    def head(**changes: Any) -> Head:
        values: Any = {
            "width": 8, "num_layers": 2, "layer": -1, "mix": False, "pooling": "mean", "words": "first",
            "hidden_size": 0, "dropout": 0.0, "num_labels": 3,
        } | changes  # fmt: skip
        return Head(HeadConfig(**values)).eval()

    assert head().config.read_width == 8
    second = head(layer=1)
    torch.testing.assert_close(second(memory, present), second.output(memory[..., 4:].mean(1)))
    mixed = head(mix=True)
    with torch.no_grad():
        mixed.mix.copy_(torch.tensor([0.0, 1.0]))
    share = 1 / (1 + np.exp(-1.0))
    assert mixed.shares() == pytest.approx([1 - share, share])
    mean = (1 - share) * memory[..., :4] + share * memory[..., 4:]
    torch.testing.assert_close(mixed(memory, present), mixed.output(mean.mean(1)))
    with pytest.raises(ValueError, match="layer 2 of 2"):
        head(layer=2)


def test_what_cannot_be_learned_is_one_line_that_names_the_sentence(tmp_path: Path) -> None:
    tokenizer = make_corpus(tmp_path)
    valid = read(tmp_path, "valid", "one", tokenizer)
    with pytest.raises(StageformerError, match=r"valid: sentence 10\d\d has the label 'lamp', which no .* wrong"):
        check_seen(valid, "valid", ["door", "sensor"])
    found = targets(valid, {"door": 0, "sensor": 1})
    assert [number == UNSEEN for number in found.tolist()] == [labels == ["lamp"] for labels in valid.labels]
    with pytest.raises(StageformerError, match=r"head.layer is 3, but .* holds the output of its maker alone"):
        task_of(tmp_path, "one", tokenizer, layer=3)

    alone = tmp_path / "alone"
    vectors = [torch.ones(2, 4)] * 3
    write_split(alone, "train", ["on", "off", "up"], [["door"]] * 3, vectors, tokenizer)
    with pytest.raises(StageformerError, match=r"all 3 sentences have the label 'door' \(the first is 10\)"):
        label_names(read(alone, "train", "one", tokenizer))

    write_split(alone, "valid", ["on off", "up"], [["A", "B"], ["A", "B"]], [torch.ones(3, 4)] * 2, tokenizer)
    with pytest.raises(StageformerError, match=r"valid: sentence 12 has 2 tags for 1 words .*'up'"):
        read(alone, "valid", "tags", tokenizer)
    write_split(alone, "test", ["on off", "up"], [["A", "B"], ["A"]], [torch.ones(1, 4)] * 2, tokenizer)
    with pytest.raises(StageformerError, match="sentence 10 has 1 vectors for 2 tokens; tags need an encoder with"):
        read(alone, "test", "tags", tokenizer)
    with pytest.raises(StageformerError, match="no sentence has labels; choose a corpus with labels"):
        read(alone, "test", "none", tokenizer)


@pytest.mark.parametrize("table", ["labels", "sentences", "memory"])
def test_a_table_or_a_memory_of_other_sentences_is_refused(tmp_path: Path, table: str) -> None:
    texts, vectors = ["on", "off", "up"], [torch.ones(1, 4)] * 3
    tokenizer = words_tokenizer(texts)
    for folder, number in (("whole", 3), ("less", 2)):
        labels = [["door"]] * number
        write_split(tmp_path / folder, "train", texts[:number], labels, vectors[:number], tokenizer)
    places = {"labels": "ingest/labels/train.parquet", "sentences": "ingest/train.parquet", "memory": "encode/train"}
    place = tmp_path / "whole" / places[table]
    if place.is_dir():
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "less" / places[table], place)
    else:
        shutil.copy(tmp_path / "less" / places[table], place)
    messages = {
        "labels": "2 of the 3 sentences of train have labels", "sentences": "sentence 14 of train has labels, but no",
        "memory": r"holds sentence 14, which .* lacks \(1 such\)",
    }  # fmt: skip
    with pytest.raises(StageformerError, match=messages[table]):
        read(tmp_path / "whole", "train", "one", tokenizer)
