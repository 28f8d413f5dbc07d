"""Adam against torch's own, to the bit, and learning rates by hand."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import nn

from stageformer.compute.pool import Serial
from stageformer.kernels import adam as kernel
from stageformer.kernels.choice import KERNELS, kernels
from stageformer.model.transformer import Transformer
from stageformer.params.training import Training
from stageformer.training.optimizer import Adam, learning_rate
from stageformer.training.state import TrainingState

MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]


@pytest.fixture(params=KERNELS)
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both formulations in turn."""
    with kernels(request.param):
        yield request.param


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 7), (33,), (40, 3), (1,))]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    return [torch.randn(parameter.shape, generator=generator) for parameter in parameters()]


def trajectory(adam: Adam, own: list[nn.Parameter]) -> Iterator[list[torch.Tensor]]:
    """Yield the parameters after each of some steps, all parameters with gradients."""
    for step, rate in enumerate(RATES):
        for parameter, gradient in zip(own, gradients(step), strict=True):
            parameter.grad = gradient
        adam.step(rate)
        yield [parameter.detach().clone() for parameter in own]


RATES = (0.1, 0.01, 0.0, 0.3)
CHANGES: list[dict[str, float]] = [
    {}, {"weight_decay": 0.3}, {"adam_beta1": 0.8, "adam_beta2": 0.95, "adam_epsilon": 1e-4},
]  # fmt: skip


@pytest.mark.parametrize("has_kernel", [True, False])
@pytest.mark.parametrize("changes", CHANGES)
def test_equals_adamw_of_torch(
    monkeypatch: pytest.MonkeyPatch, training: MakeTraining, changes: dict[str, float], has_kernel: bool
) -> None:
    assert kernel._KERNEL is not None  # this torch has it
    if not has_kernel:
        monkeypatch.setattr(kernel, "_KERNEL", None)
    options = training(**changes)
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, options)
    reference = torch.optim.AdamW(
        [
            {"params": [p for p in theirs if p.dim() > 1], "weight_decay": options.weight_decay},
            {"params": [p for p in theirs if p.dim() <= 1], "weight_decay": 0.0},
        ],
        betas=(options.adam_beta1, options.adam_beta2),
        eps=options.adam_epsilon,
        fused=True,
    )
    for rate, step, reached in zip(RATES, range(len(RATES)), trajectory(adam, ours), strict=True):
        for their, gradient in zip(theirs, gradients(step), strict=True):
            their.grad = gradient
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        assert all(torch.equal(own, their) for own, their in zip(reached, theirs, strict=True))


@pytest.mark.usefixtures("chosen")
def test_first_step_by_hand(training: MakeTraining) -> None:
    """At the first step both averages, freed of their bias, are the gradient and its square."""
    parameter = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    parameter.grad = torch.tensor([[0.5, -4.0]])
    Adam([parameter], training(adam_epsilon=1e-3)).step(0.1)
    expected = [1 - 0.1 * 0.5 / (0.5 + 1e-3), -2 + 0.1 * 4 / (4 + 1e-3)]
    torch.testing.assert_close(parameter.detach(), torch.tensor([expected]))


@pytest.mark.usefixtures("chosen")
def test_weight_decay_acts_on_matrices_alone(training: MakeTraining) -> None:
    matrix, vector = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4))
    adam = Adam([matrix, vector], training(weight_decay=0.5))
    for parameter in (matrix, vector):
        parameter.grad = torch.zeros_like(parameter)
    adam.step(0.1)
    torch.testing.assert_close(matrix.detach(), torch.full((2, 3), 0.95))
    torch.testing.assert_close(vector.detach(), torch.ones(4))


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_weight_decay_leaves_a_frozen_layer_of_a_model(
    transformer: MakeModel, training: MakeTraining, optimizer: str
) -> None:
    model = transformer()
    model.encoder.layers[0].requires_grad_(False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    state = TrainingState(model, training(weight_decay=0.5, optimizer=optimizer), Serial())
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    state.optimizer.step(0.1)
    for name, parameter in model.named_parameters():
        decays = parameter.dim() > 1 and parameter.requires_grad
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 0.95 if decays else 1.0), msg=name)


@pytest.mark.usefixtures("chosen")
def test_what_has_no_gradient_stays(training: MakeTraining) -> None:
    trained, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    adam = Adam([trained, other], training(weight_decay=0.5))
    trained.grad = torch.ones(2, 2)
    adam.step(0.1)
    assert torch.equal(other, torch.ones(2, 2))
    assert adam.state[other]["step"] == 0
    assert adam.state[trained]["step"] == 1


@pytest.mark.parametrize("schedule", ["inverse_sqrt", "constant", "linear", "cosine"])
def test_warm_up_is_linear_and_followed_without_a_jump(training: MakeTraining, schedule: str) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=100, max_updates=1000)
    assert [learning_rate(update, params) for update in (1, 50, 100)] == pytest.approx([0.004, 0.2, 0.4])
    assert learning_rate(101, params) == pytest.approx(0.4, rel=0.011)
    rates = [learning_rate(update, params) for update in range(100, 1001)]
    assert all(earlier >= later > 0 for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("schedule", "update", "expected"),
    [
        ("constant", 1000, 0.4),
        ("inverse_sqrt", 400, 0.2),  # sqrt(100 / 400)
        ("inverse_sqrt", 900, 0.4 / 3),
        ("linear", 101, 0.4),
        ("linear", 551, 0.2),  # 450 of 900 updates are left
        ("linear", 1000, 0.4 / 900),
        ("cosine", 101, 0.4),
        ("cosine", 401, 0.3),  # two thirds are left: (1 - cos(120 degrees)) / 2 = 3 / 4
        ("cosine", 551, 0.2),
        ("cosine", 1000, 0.0),
    ],
)
def test_after_the_warm_up(
    training: MakeTraining, schedule: str, update: int, expected: float
) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=100, max_updates=1000)
    assert learning_rate(update, params) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("schedule", ["inverse_sqrt", "constant", "linear", "cosine"])
def test_without_warm_up_the_first_update_has_the_peak(training: MakeTraining, schedule: str) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=0, max_updates=10)
    assert learning_rate(1, params) == pytest.approx(0.4)
    assert learning_rate(10, params) > 0


def test_the_papers_formula(training: MakeTraining) -> None:
    # d_model^-0.5 * min(update^-0.5, update * warmup^-1.5), section 5.3
    peak = (512 * 4000) ** -0.5
    params = training(schedule="inverse_sqrt", learning_rate=peak, warmup_updates=4000, max_updates=10**5)
    for update in (1, 1000, 4000, 4001, 50_000):
        expected = 512**-0.5 * min(update**-0.5, update * 4000**-1.5)
        assert learning_rate(update, params) == pytest.approx(expected)
