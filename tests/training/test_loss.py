"""The fused loss against torch's, in value and in gradients."""

import pytest
import torch
from torch import Tensor

from stageformer.training.loss import CHUNK_TOKENS, Loss, cross_entropy


def inputs(count: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    hidden = torch.randn(count, 6, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(9, 6, generator=generator, dtype=dtype).requires_grad_()
    return hidden, weight, torch.randint(0, 9, (count,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("count", [1, CHUNK_TOKENS - 1, CHUNK_TOKENS, CHUNK_TOKENS + 1, 2 * CHUNK_TOKENS + 7])
def test_equals_torch(count: int, smoothing: float) -> None:
    hidden, weight, targets = inputs(count)
    loss = cross_entropy(hidden, weight, targets, smoothing)
    gradients = torch.autograd.grad(3 * loss.smoothed, (hidden, weight))
    scores = hidden @ weight.t()
    expected = torch.nn.functional.cross_entropy(scores, targets, label_smoothing=smoothing, reduction="sum")
    expected_gradients = torch.autograd.grad(3 * expected, (hidden, weight))
    torch.testing.assert_close(loss.smoothed, expected, atol=1e-9, rtol=1e-12)
    torch.testing.assert_close(gradients, expected_gradients, atol=1e-10, rtol=1e-10)
    nll = -hidden.detach().matmul(weight.detach().t()).log_softmax(-1)[torch.arange(count), targets].sum()
    torch.testing.assert_close(loss.log_likelihood, nll, atol=1e-9, rtol=1e-12)
    assert loss.num_tokens == count


def test_gradcheck() -> None:
    hidden, weight, targets = inputs(5)

    def smoothed(h: Tensor, w: Tensor) -> Tensor:
        return cross_entropy(h, w, targets, 0.1).smoothed

    assert torch.autograd.gradcheck(smoothed, (hidden, weight))


def test_large_scores_do_not_overflow() -> None:
    hidden, weight, targets = (tensor for tensor in inputs(20, torch.float32))
    loss = cross_entropy(hidden * 1e4, weight, targets, 0.1)
    loss.smoothed.backward()
    assert loss.smoothed.isfinite()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()


def test_no_gradient_path_when_none_is_needed() -> None:
    hidden, weight, targets = inputs(7)
    loss = cross_entropy(hidden, weight, targets, 0.1)
    assert loss.smoothed.requires_grad
    assert not loss.log_likelihood.requires_grad
    assert not cross_entropy(hidden.detach(), weight.detach(), targets, 0.1).smoothed.requires_grad


def count_products(compute) -> int:
    with torch.profiler.profile() as profile:
        compute()
    return sum(event.count for event in profile.key_averages() if event.key in ("aten::mm", "aten::addmm_"))


def test_validation_computes_no_gradients() -> None:
    hidden, weight, targets = inputs(7)

    def loss() -> Loss:
        return cross_entropy(hidden, weight, targets, 0.1)

    with torch.no_grad():
        assert count_products(loss) == 1  # the scores
    assert count_products(loss) == 3  # and one for each gradient


def test_half_precision_is_computed_in_the_precision_of_the_weight() -> None:
    hidden, weight, targets = inputs(7, torch.float32)
    half = hidden.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = cross_entropy(half, weight, targets, 0.1)
    assert loss.smoothed.dtype == torch.float32
    torch.testing.assert_close(loss.smoothed, cross_entropy(half.float(), weight, targets, 0.1).smoothed)
    loss.smoothed.backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16
