"""The gradient of a batch: the same from one micro-batch or many, one thread or several."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stageformer.batching.pairs import Pairs
from stageformer.batching.sentences import Ints
from stageformer.compute.processes import ALONE
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.params.compute import Compute
from stageformer.params.training import Training
from stageformer.training.step import Gradients, make_training_pool, micro_batches
from stageformer.training.tasks.base import Task
from stageformer.training.tasks.translation import TranslationTask

Corpus = Callable[..., dict[str, Pairs]]
MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]
MakeCompute = Callable[..., Compute]
CPU = torch.device("cpu")


def of_update(task: Task, training: Training, compute: Compute, update: int, rows: Ints) -> tuple[float, int]:
    """Compute the gradient of an update, and return its summed loss and its number of targets."""
    with make_training_pool(training, compute, ALONE) as pool:
        return Gradients(task, training, compute, pool, ALONE).compute(update, rows)


def gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def test_many_micro_batches_equal_one(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, make_compute: MakeCompute
) -> None:
    model = transformer().double()
    task = TranslationTask(model, copy_corpus(60), 0, CPU, 0.1)
    results = []
    for micro_batch_tokens in (40, 1000):
        compute = make_compute(micro_batch_tokens=micro_batch_tokens)
        assert (len(micro_batches(task, training(), compute, 1, np.arange(60))) > 1) == (micro_batch_tokens == 40)
        loss, tokens = of_update(task, training(batch_tokens=1000), compute, 1, np.arange(60))
        results.append((loss, tokens, gradients(model)))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-12)
    assert results[0][1] == results[1][1] == task.lengths("train")[1].sum()
    torch.testing.assert_close(results[0][2], results[1][2], rtol=1e-9, atol=1e-12)


def test_gradient_is_of_the_mean_loss(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> None:
    model = transformer().double()
    task = TranslationTask(model, copy_corpus(20), 0, CPU, 0.1)
    of_update(task, training(), compute, 1, np.arange(20))
    loss = task.loss("train", np.arange(20))
    mean = loss.total / loss.num_targets
    torch.testing.assert_close(gradients(model), list(torch.autograd.grad(mean, list(model.parameters()))))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_number_of_threads_changes_no_bit(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, make_compute: MakeCompute, threads: int
) -> None:
    model = transformer(dropout=0.3)
    model.train()
    task = TranslationTask(model, copy_corpus(200), 0, CPU, 0.1)
    results = []
    for count in (1, threads):
        compute = make_compute(threads=count, micro_batch_tokens=100)
        with make_training_pool(training(batch_tokens=2000), compute, ALONE) as pool:
            assert pool.workers == count
        results.append((of_update(task, training(batch_tokens=2000), compute, 3, np.arange(200)), gradients(model)))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(one, several) for one, several in zip(results[0][1], results[1][1], strict=True))


def test_draws_follow_from_seed_update_and_place(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, compute: Compute
) -> None:
    model = transformer(dropout=0.3)
    model.train()
    task = TranslationTask(model, copy_corpus(50), 0, CPU, 0.1)
    state = torch.get_rng_state()

    def losses(seed: int, update: int) -> float:
        return of_update(task, training(seed=seed), compute, update, np.arange(50))[0]

    assert losses(1, 1) == losses(1, 1)
    assert len({losses(1, 1), losses(1, 2), losses(2, 1)}) == 3
    assert torch.equal(torch.get_rng_state(), state)
    seeds = [
        batch.seed
        for update in range(500)
        for batch in micro_batches(task, training(batch_tokens=100), compute, update, np.arange(50))
    ]
    assert len(set(seeds)) == len(seeds) > 500


def test_micro_batches_hold_every_sentence_once(
    copy_corpus: Corpus, transformer: MakeModel, training: MakeTraining, make_compute: MakeCompute
) -> None:
    task = TranslationTask(transformer(), copy_corpus(90), 0, CPU, 0.1)
    rows = np.arange(10, 80)
    batches = micro_batches(task, training(), make_compute(micro_batch_tokens=50), 7, rows)
    assert sorted(np.concatenate([batch.rows for batch in batches])) == list(rows)
    for batch in batches:
        longest = max(lengths[batch.rows].max() for lengths in task.lengths("train"))
        assert longest * len(batch.rows) <= 50


@pytest.mark.parametrize("message", ["[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", None])
def test_too_little_memory_names_the_sentences(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
    message: str | None,
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory") if message is None else RuntimeError(message)

    task = TranslationTask(transformer(), copy_corpus(30), 0, CPU, 0.1)
    monkeypatch.setattr(TranslationTask, "loss", fail)
    with pytest.raises(StageformerError, match=r"out of memory with 12 sentences .*ids \d.* and 4 more.*micro_batch"):
        of_update(task, training(), compute, 1, np.arange(12))


def test_other_failures_stay_what_they_are(
    monkeypatch: pytest.MonkeyPatch,
    copy_corpus: Corpus,
    transformer: MakeModel,
    training: MakeTraining,
    compute: Compute,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    task = TranslationTask(transformer(), copy_corpus(30), 0, CPU, 0.1)
    monkeypatch.setattr(TranslationTask, "loss", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        of_update(task, training(), compute, 1, np.arange(12))
