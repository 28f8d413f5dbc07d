"""When a training stops, and which weights become the model."""

import re

import pytest
import torch
from torch import Tensor, nn

from stageformer.building.weights import weights_of
from stageformer.params.compute import Compute
from stageformer.training.state import KeptCheckpoints
from stageformer.training.tasks.translation import TranslationTask
from tests.training.loops import CPU, Corpus, MakeModel, MakeTraining, run, scripted_validation, validated


@pytest.mark.parametrize(
    ("patience", "stops_at"), [(1, 3), (2, 6), (None, 8)]
)
def test_patience(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    patience: int | None,
    stops_at: int,
) -> None:
    scripted_validation(monkeypatch, [3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 2.0, 2.0, 9.0])
    params = training(max_updates=8, validate_every=1, patience=patience)
    outcome, logged = run(transformer(), copy_corpus(40), params, compute)
    assert outcome.metrics["updates"] == logged[-1][0] == stops_at
    assert outcome.metrics["best_valid_loss_of_a_checkpoint"] == min([3.0, 2.0, 2.5, 1.0, 1.0][:stops_at])


def test_the_averaged_weights_end_up_in_the_model(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
) -> None:
    kept: list[dict[str, Tensor]] = []
    offer = KeptCheckpoints.offer

    def spy(self: KeptCheckpoints, model: nn.Module, update: int, valid_loss: float) -> None:
        kept.append({name: weight.clone() for name, weight in weights_of(model).items()})
        offer(self, model, update, valid_loss)

    monkeypatch.setattr(KeptCheckpoints, "offer", spy)
    model = transformer()
    outcome, _ = run(model, copy_corpus(), training(max_updates=9, validate_every=2, average_checkpoints=3), compute)
    assert len(kept) == 5  # at 2, 4, 6, 8 and at the end
    for name, weight in weights_of(model).items():
        expected = sum(checkpoint[name].double() for checkpoint in kept[-3:]) / 3
        torch.testing.assert_close(weight, expected.float(), rtol=0, atol=1e-7)
    assert (outcome.metrics["kept_update"], outcome.metrics["kept_checkpoints"]) == (9, 3)
    task = TranslationTask(model, copy_corpus(), 0, CPU, 0.1)
    assert validated(task, compute).loss == outcome.metrics["valid_loss"]


@pytest.mark.parametrize(("keep", "update"), [("best", 4), ("last", 7)])
def test_early_stopping_can_leave_the_best(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    keep: str,
    update: int,
) -> None:
    scripted_validation(monkeypatch, [3.0, 2.0, 2.5, 1.0, 1.5, 1.0, 2.0, 1.0])
    params = training(max_updates=20, validate_every=1, patience=3, keep=keep)
    stopped, splits = transformer(), copy_corpus(40)
    outcome, _ = run(stopped, splits, params, compute)
    assert outcome.metrics["updates"] == 7
    assert outcome.metrics["kept_update"] == update
    assert outcome.metrics["kept_checkpoints"] == 1
    assert outcome.metrics["best_valid_loss_of_a_checkpoint"] == 1.0
    monkeypatch.undo()
    as_then = transformer()
    run(as_then, splits, training(max_updates=update, validate_every=update, keep="last"), compute)
    expected = weights_of(as_then)
    assert all(torch.equal(weight, expected[name]) for name, weight in weights_of(stopped).items())


def test_the_last_line_says_why_the_training_stopped(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scripted_validation(monkeypatch, [3.0, 2.0, 2.0, 2.5, 9.0])
    run(transformer(), copy_corpus(40), training(max_updates=8, validate_every=1, patience=2), compute)
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"toy: update 4 of 8: .* target tokens/s; stopped: no better loss in 2 validations", last)
