"""Small trainings, for the tests of this folder."""

from collections.abc import Callable, Mapping

import pytest
import torch

from stageformer.batching.pairs import Pairs
from stageformer.compute.pool import Serial
from stageformer.compute.processes import ALONE
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training import loop
from stageformer.training.loop import Outcome, train
from stageformer.training.tasks.base import Task
from stageformer.training.tasks.translation import TranslationTask
from stageformer.training.validation import Validation, validate

Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]
MakeCompute = Callable[..., Compute]
CPU = torch.device("cpu")


def validated(task: Task, compute: Compute) -> Validation:
    return validate(task, compute, Serial(), ALONE)


def run(
    model: Transformer, splits: dict[str, Pairs], training: Training, compute: Compute
) -> tuple[Outcome, list[tuple[int, Mapping[str, float]]]]:
    logged: list[tuple[int, Mapping[str, float]]] = []
    torch.manual_seed(training.seed)
    task = TranslationTask(model, splits, 0, CPU, training.label_smoothing)
    outcome = train(task, training, compute, lambda update, values: logged.append((update, values)), "toy")
    return outcome, logged


def scripted_validation(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    values = iter(losses)
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(next(values), {"perplexity": 1.0}))
