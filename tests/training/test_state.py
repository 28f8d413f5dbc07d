"""The checkpoints that become the model: the last or the best, one or the mean of several."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from stageformer.params.training import Training
from stageformer.training.state import KeptCheckpoints

MakeTraining = Callable[..., Training]


def kept(training: Training, losses: list[float]) -> KeptCheckpoints:
    """What is kept of checkpoints whose weights are all 1 at update 1, 2 at update 2, and so on."""
    model = nn.Linear(2, 3)
    kept = KeptCheckpoints(training)
    for update, loss in enumerate(losses, start=1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(update)
        kept.offer(model, update, loss)
    return kept


LOSSES = [5.0, 2.0, 3.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("keep", "size", "updates"),
    [
        ("last", 1, [5]),
        ("last", 3, [5]),
        ("best", 1, [2]),  # of equals, the earlier
        ("best", 3, [2]),
        ("average", 1, [5]),
        ("average", 3, [3, 4, 5]),
        ("average", 9, [1, 2, 3, 4, 5]),
        ("average_best", 1, [2]),
        ("average_best", 2, [2, 4]),
        ("average_best", 4, [2, 3, 4, 5]),
        ("average_best", 9, [1, 2, 3, 4, 5]),
    ],
)
def test_what_is_kept(training: MakeTraining, keep: str, size: int, updates: list[int]) -> None:
    found = kept(training(keep=keep, average_checkpoints=size), LOSSES)
    assert [checkpoint.update for checkpoint in found.checkpoints] == updates
    assert [checkpoint.valid_loss for checkpoint in found.checkpoints] == [LOSSES[update - 1] for update in updates]
    mean = found.mean()
    assert torch.equal(mean["weight"], torch.full((3, 2), sum(updates) / len(updates)))
    assert mean["weight"].dtype == torch.float32


@pytest.mark.parametrize("keep", ["best", "average_best"])
def test_the_worst_leaves_first(training: MakeTraining, keep: str) -> None:
    found = kept(training(keep=keep, average_checkpoints=2), [1.0, 9.0, 8.0, 0.5])
    assert [checkpoint.update for checkpoint in found.checkpoints] == ([4] if keep == "best" else [1, 4])


def test_one_is_itself_to_the_bit(training: MakeTraining) -> None:
    model, kept = nn.Linear(2, 3), KeptCheckpoints(training(keep="average", average_checkpoints=1))
    kept.offer(model, 1, 1.0)
    assert all(torch.equal(kept.mean()[name], weight) for name, weight in model.named_parameters())


def test_a_shared_matrix_is_kept_once_and_checkpoints_are_copies(training: MakeTraining) -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    model["b"].weight = model["a"].weight
    kept = KeptCheckpoints(training(average_checkpoints=2))
    kept.offer(model, 1, 1.0)
    before: Tensor = model["a"].weight.detach().clone()
    with torch.no_grad():
        model["a"].weight.add_(2.0)
    kept.offer(model, 2, 1.0)
    assert list(kept.mean()) == ["a.weight"]
    torch.testing.assert_close(kept.mean()["a.weight"], before + 1.0)
