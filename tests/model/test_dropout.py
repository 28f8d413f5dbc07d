"""Our own dropout on the CPU: its rate, its independence, its gradient."""

import math

import pytest
import torch

from stageformer.model.dropout import Dropout

COUNT = 400_000


def kept(rate: float, seed: int = 0, shape: tuple[int, ...] = (COUNT,)) -> torch.Tensor:
    torch.manual_seed(seed)
    return (Dropout(rate)(torch.ones(shape)) != 0).double()


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.95])
def test_rate_within_the_binomial_bound(rate: float) -> None:
    bound = 4.5 * math.sqrt(rate * (1 - rate) / COUNT)
    assert abs(1 - kept(rate).mean().item() - rate) < bound
    # Each of the four numbers made from one draw has the rate, too.
    lanes = 1 - kept(rate, seed=1).view(-1, 4).mean(0)
    assert (lanes - rate).abs().max().item() < 2 * bound


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_kept_elements_are_scaled_so_that_the_mean_stays(rate: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(rate)(torch.ones(COUNT))
    values = dropped.unique()
    assert values[0] == 0
    assert values[1:].tolist() == pytest.approx([1 / (1 - rate)], rel=1e-4)
    assert dropped.mean().item() == pytest.approx(1.0, abs=4.5 * math.sqrt(rate / (1 - rate) / COUNT))


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5, 8, 64, 2496])
def test_elements_are_independent(distance: int) -> None:
    mask = kept(0.3)
    pairs = torch.stack([mask[:-distance], mask[distance:]])
    assert abs(torch.corrcoef(pairs)[0, 1].item()) < 4.5 / math.sqrt(COUNT)


def test_the_four_lanes_of_a_draw_are_independent() -> None:
    correlation = torch.corrcoef(kept(0.3).view(-1, 4).t())
    assert (correlation - torch.eye(4)).abs().max().item() < 4.5 / math.sqrt(COUNT / 4)


def test_calls_are_independent_and_seeded() -> None:
    torch.manual_seed(3)
    dropout = Dropout(0.3)
    first, second = (dropout(torch.ones(COUNT)) for _ in range(2))
    correlation = torch.corrcoef(torch.stack([first, second]))[0, 1].item()
    assert abs(correlation) < 4.5 / math.sqrt(COUNT)
    torch.manual_seed(3)
    assert torch.equal(dropout(torch.ones(COUNT)), first)
    assert torch.equal(dropout(torch.ones(COUNT)), second)


def test_gradient_has_the_same_mask() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 11, 3, requires_grad=True)
    output = Dropout(0.4)(x)
    output.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x.detach(), output.detach())
    assert set(x.grad.unique().tolist()) == {0.0, x.grad.max().item()}


@pytest.mark.parametrize("shape", [(1,), (2, 3), (5, 1, 3), (0, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_keeps_the_type(dtype: torch.dtype) -> None:
    assert Dropout(0.5)(torch.ones(8, dtype=dtype)).dtype == dtype


def test_rate_zero_and_eval_are_identity_and_draw_nothing() -> None:
    x = torch.randn(100)
    state = torch.get_rng_state()
    assert Dropout(0.0)(x) is x
    assert Dropout(0.5).eval()(x) is x
    assert torch.equal(torch.get_rng_state(), state)
