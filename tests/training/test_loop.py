"""The loop: it learns, stops, averages, and gives the same bits for the same seed."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.building.weights import weights_of
from stageformer.compute.processes import Processes
from stageformer.errors import StageformerError
from stageformer.params.compute import Compute
from stageformer.training import loop
from stageformer.training.loop import train
from stageformer.training.loss import Loss
from stageformer.training.optimizer import Adam
from stageformer.training.state import Progress
from stageformer.training.tasks.masked import MaskedTokens
from stageformer.training.tasks.translation import TranslationTask
from tests.training.loops import CPU, Corpus, MakeCompute, MakeModel, MakeTraining, run, validated


def test_copying_is_learnt(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> None:
    model = transformer(d_model=32)
    params = training(
        max_updates=300,
        schedule="linear",
        warmup_updates=30,
        validate_every=100,
        label_smoothing=0.0,
        batch_tokens=400,
        average_checkpoints=2,
    )
    outcome, logged = run(model, copy_corpus(600), params, compute)
    assert outcome.metrics["valid_loss"] < 0.2  # chance is log(10) on the words
    assert outcome.metrics["valid_perplexity"] == pytest.approx(math.exp(outcome.metrics["valid_loss"]))
    assert [update for update, _ in logged] == [100, 200, 300]
    assert logged[0][1]["train_loss"] > logged[1][1]["train_loss"] > logged[2][1]["train_loss"]
    assert logged[2][1]["learning_rate"] == pytest.approx(0.01 / 270)
    assert outcome.metrics["updates"] == 300
    assert outcome.metrics["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_each_epoch_has_its_own_order(copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining) -> None:
    task = TranslationTask(transformer(), copy_corpus(200), 0, CPU, 0.1)
    batches = Progress().batches(task, training(batch_tokens=100))
    epochs = []
    for _ in range(2):
        rows: list[int] = []
        while len(rows) < 200:
            rows += next(batches).tolist()
        assert sorted(rows) == list(range(200))
        epochs.append(rows)
    assert epochs[0] != epochs[1]


def test_same_seed_same_bits_and_another_seed_differs(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> None:
    splits = copy_corpus()

    def weights(seed: int, validate_every: int = 5) -> dict[str, Tensor]:
        # The same start: the seed acts on order and dropout here.
        params = training(seed=seed, validate_every=validate_every)
        model = transformer(seed=7, dropout=0.1)
        run(model, splits, params, compute)
        return weights_of(model)

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    # Validation draws no random numbers and changes no weights: more of it leaves the training as it is.
    often = weights(1, validate_every=1)
    assert all(torch.equal(first[name], often[name]) for name in first)


@pytest.mark.parametrize("kind", ["translation", "masked"])
def test_validation_leaves_no_trace(
    copy_corpus: Corpus, transformer: MakeModel, make_compute: MakeCompute, kind: str
) -> None:
    splits, model = copy_corpus(), transformer(dropout=0.2)
    task: TranslationTask | MaskedTokens = (
        TranslationTask(model, splits, 0, CPU, 0.1)
        if kind == "translation"
        else MaskedTokens(model.encoder, splits, 0.15, 0, 3, 4, CPU, seed=1, label_smoothing=0.1, characters=99)
    )
    model.train()
    weights = {name: weight.clone() for name, weight in weights_of(model).items()}
    state = torch.get_rng_state()
    first = validated(task, make_compute())
    assert torch.equal(torch.get_rng_state(), state)
    assert validated(task, make_compute()) == first
    assert all(torch.equal(weights[name], weight) for name, weight in weights_of(model).items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert task.model.training
    without_smoothing = dataclasses.replace(task, label_smoothing=0.0)
    loss, metrics = validated(without_smoothing, make_compute(micro_batch_tokens=60))
    if kind == "translation":  # the batches do not matter
        assert metrics == pytest.approx(first.metrics, rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(math.exp(loss), rel=1e-6)


@pytest.mark.parametrize("clip_norm", [None, 0.25])
def test_gradient_is_clipped(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    clip_norm: float | None,
) -> None:
    norms: list[float] = []
    step = Adam.step

    def spy(self: Adam, rate: float) -> None:
        every = [parameter.grad.flatten() for parameter in self.state if parameter.grad is not None]
        norms.append(float(torch.cat(every).norm()))
        step(self, rate)

    monkeypatch.setattr(Adam, "step", spy)
    run(transformer(), copy_corpus(), training(max_updates=1, clip_norm=clip_norm), compute)
    if clip_norm is None:
        assert norms[0] > 0.5
    else:
        assert norms == pytest.approx([clip_norm], rel=1e-4)


def test_bf16_is_near_fp32(
    copy_corpus: Corpus, transformer: MakeModel, make_compute: MakeCompute
) -> None:
    task = TranslationTask(transformer(), copy_corpus(), 0, CPU, 0.1)
    fp32, bf16 = (
        validated(task, make_compute(precision=precision)).loss
        for precision in ("fp32", "bf16")
    )
    assert fp32 != bf16
    assert bf16 == pytest.approx(fp32, rel=0.02)


@pytest.mark.parametrize("empty", ["train", "valid"])
def test_an_empty_split_is_reported(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute, empty: str
) -> None:
    splits = copy_corpus(5, 5) | {empty: copy_corpus(0, 0)[empty]}
    with pytest.raises(StageformerError, match=f"toy: the split '{empty}' has no sentences"):
        run(transformer(), splits, training(), compute)


def test_divergence_is_reported(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> None:
    message = r"diverged at update \d+: .* on the sentences ids \d.* none yet; lower training\.learning_rate"
    with pytest.raises(StageformerError, match=message):
        run(transformer(), copy_corpus(), training(learning_rate=10, clip_norm=None, max_updates=50), compute)


@dataclass
class ParityTask:
    """Whether a sentence has an even number of words: a task of another kind than those of the library."""

    model: nn.Sequential
    splits: dict[str, Pairs]
    unit = "sentences"

    def ids(self, split: str) -> Ints:
        return self.splits[split].ids

    def lengths(self, split: str) -> tuple[Ints, Ints]:
        lengths = self.splits[split].source.lengths
        return lengths, lengths

    def loss(self, split: str, rows: Ints) -> Loss:
        lengths = torch.from_numpy(self.splits[split].source.lengths[rows])
        logits = self.model(nn.functional.one_hot(lengths, 8).float())
        classes = lengths % 2
        right = (logits.argmax(-1) == classes).sum()
        return Loss(nn.functional.cross_entropy(logits, classes, reduction="sum"), len(rows), {"right": right})

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        return {"accuracy": means["right"]}


@pytest.mark.parametrize("threads", [1, 3])
def test_a_task_may_predict_something_else_than_tokens(
    copy_corpus: Corpus, training: MakeTraining, make_compute: MakeCompute, threads: int
) -> None:
    torch.manual_seed(0)
    task = ParityTask(nn.Sequential(nn.Linear(8, 2)), copy_corpus(500, 60))
    params = training(max_updates=60, validate_every=30, learning_rate=0.1)
    compute = make_compute(threads=threads, micro_batch_tokens=60)
    logged: list[Mapping[str, float]] = []
    outcome = train(task, params, compute, lambda _, values: logged.append(values), "toy")
    assert [values.keys() for values in logged] == 2 * [
        {"train_loss": 0, "valid_loss": 0, "valid_accuracy": 0, "learning_rate": 0}.keys()
    ]
    assert outcome.metrics["valid_accuracy"] == 1.0
    assert 60 < outcome.metrics["sentences"] < 60 * 200 / 3
    assert outcome.speed.endswith(" sentences/s")
    assert "valid_perplexity" not in outcome.metrics


def test_without_a_terminal_each_validation_is_a_line(
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(transformer(), copy_corpus(), training(max_updates=10, validate_every=4), compute)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for line, update, left in zip(lines, (4, 8, 10), (r"\d\d:\d\d", r"\d\d:\d\d", "00:00"), strict=True):
        losses = r"train loss \d\.\d{3}, valid loss \d\.\d{3}"
        assert re.fullmatch(rf"toy: update {update} of 10: {losses}, [\d,]+ target tokens/s, {left} left", line)


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_of_several_processes_the_first_alone_prints(
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    capsys: pytest.CaptureFixture[str],
    rank: int,
    lines: int,
) -> None:
    task = TranslationTask(transformer(), copy_corpus(), 0, CPU, 0.1)
    progress = Progress(update=3)
    with loop._Display("toy", task, training(), progress, Processes(rank, 2, CPU)) as display:
        progress.update += 1
        display.updated(1.0)
        display.validated({"train_loss": 1.0, "valid_loss": 2.0})
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize("value", [math.nan, math.inf, 701.0])
def test_a_validation_that_is_not_finite_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    compute: Compute,
    value: float,
) -> None:
    loss = Loss(torch.tensor(value), 1, {"nll": torch.tensor(0.0)})
    monkeypatch.setattr(TranslationTask, "loss", lambda *_: loss)
    with pytest.raises(StageformerError, match="diverged"):
        validated(TranslationTask(transformer(), copy_corpus(9, 1), 0, CPU, 0.1), compute)
