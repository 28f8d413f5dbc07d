"""Every kernel has the values and the gradients of the reference that it takes the place of.

A new pair needs a line in CASES: what to call both with. Results, gradients and the arguments afterwards are compared,
in double precision; both draw from one seed, so that dropout drops the same.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from stageformer.kernels.choice import KERNELS, PAIRS, accelerated_by, kernels, use_kernels
from stageformer.kernels.cross_entropy import CHUNK_TOKENS
from stageformer.kernels.draws import draw_from

ROOMS_WITH_REFERENCES = ("decoding", "model", "training")

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def import_every_reference() -> None:
    for room in ROOMS_WITH_REFERENCES:
        package = importlib.import_module(f"stageformer.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


import_every_reference()


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


B, H, D_K = 3, 2, 4
SENTENCES, DOCUMENTS = (5, 7), (130, 140)
"""T and S: on both sides of LONGEST_IN_PLAIN_PRODUCTS"""


def attention_cases() -> Iterator[tuple[str, Callable[[], Arguments]]]:
    for size, (T, S) in (("sentences", SENTENCES), ("documents", DOCUMENTS)):
        masks: dict[str, Tensor | None] = {
            "everything": None,
            "padding": (torch.arange(S) < torch.tensor([[S], [2], [S - 1]]))[:, None, None],
            "blind sentence": (torch.arange(S) < torch.tensor([[S], [0], [1]]))[:, None, None],
            "blind rows": torch.arange(S) < torch.tensor([1, 0, 3, 0, S] * (T // 5))[:, None],
            "each head its own": torch.arange(S) < torch.arange(B * H * T).view(B, H, T, 1) % (S + 1),
        }
        for rate in (0.0, 0.3):
            for name, mask in masks.items():
                yield (
                    f"{size}, {name}, rate {rate}",
                    lambda T=T, S=S, mask=mask, rate=rate: (
                        (numbers(B, H, T, D_K), numbers(B, H, S, D_K), numbers(B, H, S, D_K), mask),
                        {"rate": rate},
                    ),
                )
            yield (
                f"{size}, causal, rate {rate}",
                lambda T=T, rate=rate: (tuple(numbers(B, H, T, D_K) for _ in range(3)), {"causal": True, "rate": rate}),
            )


def cross_entropy_arguments(count: int, label_smoothing: float) -> Arguments:
    hidden, weight, targets = numbers(count, 6), numbers(9, 6), torch.randint(0, 9, (count,))
    return (hidden, weight, targets, label_smoothing), {}


def adam_arguments(steps: int, weight_decay: float) -> Arguments:
    shapes = ((5, 7), (33,), (40, 3), (1,), ())
    parameters, gradients, means = ([numbers(*shape) for shape in shapes] for _ in range(3))
    squares = [numbers(*shape).square() for shape in shapes]
    counts = [torch.tensor(float(steps)) for _ in shapes]
    options = {"rate": 0.1, "beta1": 0.9, "beta2": 0.98, "epsilon": 1e-4, "weight_decay": weight_decay}
    return (parameters, gradients, means, squares, counts), options


def bias(*shape: int) -> Tensor:
    """Every second place is forbidden."""
    forbidden = torch.arange(torch.Size(shape).numel()).view(shape) % 2 == 1
    return torch.zeros(shape, dtype=torch.float64).masked_fill(forbidden, -torch.inf)


CASES: dict[str, dict[str, Callable[[], Arguments]]] = {
    "stageformer.decoding.incremental.attention_of_hypotheses": {
        f"{length} positions, {name}": lambda length=length, shape=shape: (
            (
                numbers(B, H, 4, D_K),
                numbers(B, H, length, D_K),
                numbers(B, H, length, D_K),
                None if shape is None else bias(*shape, length),
            ),
            {},
        )
        for length in (7, 140)
        for name, shape in {"everything": None, "memory": (B, 1, 1), "past": (B, 1, 4)}.items()
    },
    "stageformer.decoding.incremental.attention_of_one": {
        f"{length} positions, {name}": lambda length=length, masked=masked: (
            (
                numbers(B, H, 1, D_K),
                numbers(length, B, H, D_K),
                numbers(length, B, H, D_K),
                bias(length, B, 1) if masked else None,
            ),
            {},
        )
        for length in (7, 140)
        for name, masked in {"everything": False, "memory": True}.items()
    },
    "stageformer.model.attention.attention": dict(attention_cases()),
    "stageformer.model.attention.split_heads": {
        f"widths {widths}": lambda widths=widths: ((numbers(B, 5, sum(widths)), [*widths], H), {})
        for widths in ((H * D_K,), (H * D_K, H * D_K), (H * D_K, H * D_K, H * D_K), (H, H, 3 * H), (2 * H, H))
    },
    "stageformer.model.dropout.dropout": {
        f"rate {rate}, {shape}": lambda rate=rate, shape=shape: ((numbers(*shape), rate), {})
        for rate in (0.0, 0.1, 0.9)
        for shape in ((7,), (5, 2, 3), (0, 4))
    },
    "stageformer.model.dropout.add_dropped": {
        f"rate {rate}": lambda rate=rate: ((numbers(5, 2, 3), numbers(5, 2, 3), rate), {}) for rate in (0.0, 0.1, 0.9)
    },
    "stageformer.training.loss.cross_entropy": {
        f"{count} tokens, smoothing {label_smoothing}": partial(cross_entropy_arguments, count, label_smoothing)
        for count in (1, CHUNK_TOKENS - 1, CHUNK_TOKENS, 2 * CHUNK_TOKENS + 7)
        for label_smoothing in (0.0, 0.1, 1.0)
    },
    "stageformer.training.muon.orthogonalise": {
        f"{iterations} iterations": lambda iterations=iterations: (
            ([numbers(*shape) for shape in ((3, 5), (5, 3), (4, 4), (3, 5), (200, 300), (1, 7), (300, 500))],),
            {"iterations": iterations},
        )
        for iterations in (1, 5)
    },
    "stageformer.training.optimizer.adam_step": {
        f"after {steps} steps, decay {weight_decay}": partial(adam_arguments, steps, weight_decay)
        for steps in (0, 1, 1000)
        for weight_decay in (0.0, 0.3)
    },
}
"""of each pair: what both are called with, made anew at each call"""


def test_every_pair_has_a_case() -> None:
    assert PAIRS.keys() == CASES.keys()


@pytest.mark.parametrize("pair", PAIRS)
def test_a_kernel_names_its_reference_in_its_first_line(pair: str) -> None:
    first_line = (inspect.getdoc(PAIRS[pair].fast) or "").splitlines()[0]
    assert f"`{pair}`" in first_line
    assert PAIRS[pair].fast.__module__.startswith("stageformer.kernels.")


@pytest.mark.parametrize("pair", PAIRS)
def test_a_kernel_has_the_signature_of_its_reference(pair: str) -> None:
    """The type checker holds the two to the same types, too."""
    reference, fast = (inspect.signature(function).parameters.values() for function in PAIRS[pair])
    assert [(p.name, p.kind, p.default) for p in fast] == [(p.name, p.kind, p.default) for p in reference]


def tensors_of(results: object) -> list[Tensor]:
    parts = results if isinstance(results, tuple | list) else [results]
    return [part for part in parts if isinstance(part, Tensor)]


def outcome(function: Callable[..., Any], make: Callable[[], Arguments], *, gradients: bool) -> dict[str, list[Tensor]]:
    """Call with arguments from a seed, and weigh every number of the results differently for the gradients."""
    torch.manual_seed(7)
    arguments, options = make()
    inputs = [part for value in (*arguments, *options.values()) for part in tensors_of(value)]
    before = [value.clone() for value in inputs]
    trained = [
        value.requires_grad_()
        for value in inputs
        if gradients and value.is_floating_point() and value.isfinite().all()  # a bias is not trained
    ]
    with draw_from(torch.Generator().manual_seed(3)), torch.set_grad_enabled(gradients):
        results = tensors_of(function(*arguments, **options))
    assert results or not all(map(torch.equal, inputs, before)), "the call neither returns nor changes anything"
    found = {"results": [part.detach() for part in results]}
    learnt = [part for part in results if part.requires_grad]
    if learnt:
        total = torch.stack([(part * numbers(*part.shape)).sum() for part in learnt]).sum()
        found["gradients"] = list(torch.autograd.grad(total, trained, allow_unused=True))
    assert all(part.isfinite().all() for parts in found.values() for part in parts if part is not None)
    return found | {"arguments": inputs}


@pytest.mark.parametrize("gradients", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize(("pair", "case"), [(pair, case) for pair, cases in CASES.items() for case in cases])
def test_a_kernel_computes_what_its_reference_does(pair: str, case: str, gradients: bool) -> None:
    reference, fast = (outcome(function, CASES[pair][case], gradients=gradients) for function in PAIRS[pair])
    torch.testing.assert_close(fast, reference, rtol=1e-9, atol=1e-12)


def test_the_kernels_are_chosen_for_the_process_or_for_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stageformer.kernels.choice.PAIRS", {})

    @accelerated_by(lambda: "fast")
    def which() -> str:
        return "reference"

    assert which() == "fast"
    for name in KERNELS:
        with kernels(name):
            assert which() == name
    assert which() == "fast"
    use_kernels("reference")
    try:
        assert which() == "reference"
    finally:
        use_kernels("fast")
    with pytest.raises(ValueError, match="fast or reference, not 'quick'"):
        use_kernels("quick")
