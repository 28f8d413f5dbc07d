"""The average of the last checkpoints."""

import torch
from torch import nn

from stageformer.training.state import CheckpointAverage


def averaged(size: int, values: list[float]) -> dict[str, torch.Tensor]:
    model = nn.Linear(2, 3)
    average = CheckpointAverage(size)
    for value in values:
        with torch.no_grad():
            for number, parameter in enumerate(model.parameters()):
                parameter.fill_(value * (number + 1))
        average.add(model)
    return average.average()


def test_mean_of_the_last() -> None:
    weights = averaged(3, [100.0, 1.0, 2.0, 6.0])
    assert torch.equal(weights["weight"], torch.full((3, 2), 3.0))
    assert torch.equal(weights["bias"], torch.full((3,), 6.0))
    assert weights["weight"].dtype == torch.float32


def test_fewer_than_asked_for() -> None:
    assert torch.equal(averaged(5, [1.0, 2.0])["bias"], torch.full((3,), 3.0))


def test_one_is_the_last_itself() -> None:
    value = 0.1 + 1e-8
    assert torch.equal(averaged(1, [5.0, value])["weight"], torch.full((3, 2), value))


def test_a_shared_matrix_is_averaged_once_and_checkpoints_are_copies() -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    model["b"].weight = model["a"].weight
    average = CheckpointAverage(2)
    average.add(model)
    before = model["a"].weight.detach().clone()
    with torch.no_grad():
        model["a"].weight.add_(2.0)
    average.add(model)
    weights = average.average()
    assert list(weights) == ["a.weight"]
    torch.testing.assert_close(weights["a.weight"], before + 1.0)
