"""The loss, by its reference and by its kernel, against torch's own, in value and in gradients."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from stageformer.kernels.choice import KERNELS, kernels
from stageformer.kernels.cross_entropy import CHUNK_TOKENS
from stageformer.training.loss import cross_entropy


@pytest.fixture(params=KERNELS)
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both formulations in turn."""
    with kernels(request.param):
        yield request.param


def inputs(count: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    hidden = torch.randn(count, 6, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(9, 6, generator=generator, dtype=dtype).requires_grad_()
    return hidden, weight, torch.randint(0, 9, (count,), generator=generator)


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("count", [1, CHUNK_TOKENS - 1, CHUNK_TOKENS, CHUNK_TOKENS + 1, 2 * CHUNK_TOKENS + 7])
def test_equals_torch(count: int, label_smoothing: float) -> None:
    hidden, weight, targets = inputs(count)
    smoothed, nll = cross_entropy(hidden, weight, targets, label_smoothing)
    gradients = torch.autograd.grad(3 * smoothed, (hidden, weight))
    logits = hidden @ weight.t()
    expected = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="sum")
    expected_gradients = torch.autograd.grad(3 * expected, (hidden, weight))
    torch.testing.assert_close(smoothed, expected, atol=1e-9, rtol=1e-12)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-10, rtol=1e-10)
    expected_nll = torch.nn.functional.cross_entropy(logits, targets, reduction="sum").detach()
    torch.testing.assert_close(nll, expected_nll, atol=1e-9, rtol=1e-12)


@pytest.mark.usefixtures("chosen")
def test_gradcheck() -> None:
    hidden, weight, targets = inputs(5)

    def smoothed(h: Tensor, w: Tensor) -> Tensor:
        return cross_entropy(h, w, targets, 0.1)[0]

    assert torch.autograd.gradcheck(smoothed, (hidden, weight))


@pytest.mark.usefixtures("chosen")
def test_large_logits_do_not_overflow() -> None:
    hidden, weight, targets = inputs(20, torch.float32)
    smoothed, _ = cross_entropy(hidden * 1e4, weight, targets, 0.1)
    smoothed.backward()
    assert smoothed.isfinite()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()


@pytest.mark.usefixtures("chosen")
def test_no_gradient_path_when_none_is_needed() -> None:
    hidden, weight, targets = inputs(7)
    smoothed, nll = cross_entropy(hidden, weight, targets, 0.1)
    assert smoothed.requires_grad
    assert not nll.requires_grad
    assert not cross_entropy(hidden.detach(), weight.detach(), targets, 0.1)[0].requires_grad


def count_products(compute: Callable[[], object]) -> int:
    with torch.profiler.profile() as profile:
        compute()
    return sum(event.count for event in profile.key_averages() if event.key in ("aten::mm", "aten::addmm_"))


def test_validation_computes_no_gradients() -> None:
    hidden, weight, targets = inputs(7)

    def loss() -> object:
        return cross_entropy(hidden, weight, targets, 0.1)

    with torch.no_grad():
        assert count_products(loss) == 1  # the logits
    assert count_products(loss) == 3  # and one for each gradient


@pytest.mark.usefixtures("chosen")
def test_half_precision_is_computed_in_the_precision_of_the_weight() -> None:
    hidden, weight, targets = inputs(7, torch.float32)
    half = hidden.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        smoothed, _ = cross_entropy(half, weight, targets, 0.1)
    assert smoothed.dtype == torch.float32
    torch.testing.assert_close(smoothed, cross_entropy(half.float(), weight, targets, 0.1)[0])
    smoothed.backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16
