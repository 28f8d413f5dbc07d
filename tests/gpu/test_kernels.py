"""On a GPU, in single precision, every kernel has the values and the gradients of its reference."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from stageformer.kernels.choice import PAIRS
from stageformer.kernels.cross_entropy import CHUNK_TOKENS_ON_GPU
from stageformer.training.loss import cross_entropy
from tests.kernels.test_pairs import CASES, tensors_of


def drawn(arguments: tuple[tuple[Any, ...], dict[str, Any]], pair: str) -> bool:
    """Whether the pair draws random numbers, which on a GPU are torch's own and differ between the two."""
    positional, options = arguments
    rate = options.get("rate", positional[-1] if "dropout" in pair else 0.0)
    return "adam" not in pair and rate > 0


def cases() -> Iterator[tuple[str, str]]:
    for pair, of_pair in CASES.items():
        yield from ((pair, name) for name, make in of_pair.items() if not drawn(make(), pair))


def on_gpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.to("cuda")
        return value.float() if value.is_floating_point() else value
    return type(value)(map(on_gpu, value)) if isinstance(value, list | tuple) else value


def outcome(function: Any, pair: str, case: str, *, gradients: bool) -> list[Tensor | None]:
    torch.manual_seed(7)
    positional, options = (on_gpu(part) if isinstance(part, tuple) else part for part in CASES[pair][case]())
    inputs = [part for value in positional for part in tensors_of(value)]
    trained = [
        value.requires_grad_() for value in inputs if gradients and value.is_floating_point() and value.isfinite().all()
    ]
    with torch.set_grad_enabled(gradients):
        results = tensors_of(function(*positional, **options))
    learnt = [part for part in results if part.requires_grad]
    found: list[Tensor | None] = [part.detach() for part in results]
    if learnt:
        weights = [torch.linspace(-1, 1, part.numel(), device="cuda").view(part.shape) for part in learnt]
        total = torch.stack([(part * weight).sum() for part, weight in zip(learnt, weights, strict=True)]).sum()
        found += torch.autograd.grad(total, trained, allow_unused=True)
    return found + inputs


@pytest.mark.parametrize("gradients", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize(("pair", "case"), list(cases()))
def test_a_kernel_computes_what_its_reference_does(pair: str, case: str, gradients: bool) -> None:
    reference, fast = (outcome(function, pair, case, gradients=gradients) for function in PAIRS[pair])
    torch.testing.assert_close(fast, reference, rtol=1e-3, atol=1e-4)


def test_a_loss_of_several_chunks_equals_that_of_torch() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(2 * CHUNK_TOKENS_ON_GPU + 3, 16, device="cuda"), torch.randn(50, 16, device="cuda")
    targets = torch.randint(0, 50, (len(hidden),), device="cuda")
    expected = torch.nn.functional.cross_entropy(
        hidden.double() @ weight.double().t(), targets, label_smoothing=0.1, reduction="sum"
    )
    found, _ = cross_entropy(hidden, weight, targets, 0.1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0.0)
