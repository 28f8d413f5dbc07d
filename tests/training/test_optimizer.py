"""Adam against torch's own, to the bit."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from stageformer.model.transformer import Transformer
from stageformer.params.training import Training
from stageformer.training.optimizer import Adam
from stageformer.training.state import TrainingState

MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 7), (33,), (40, 3), (1,))]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    return [torch.randn(parameter.shape, generator=generator) for parameter in parameters()]


@pytest.mark.parametrize(
    "changes", [{}, {"weight_decay": 0.3}, {"adam_beta1": 0.8, "adam_beta2": 0.95, "adam_epsilon": 1e-4}]
)
def test_equals_adamw_of_torch(training: MakeTraining, changes: dict[str, float]) -> None:
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
    for step, rate in enumerate((0.1, 0.01, 0.0, 0.3)):
        for own, their, gradient in zip(ours, theirs, gradients(step), strict=True):
            own.grad, their.grad = gradient.clone(), gradient.clone()
        adam.step(rate)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        for own, their in zip(ours, theirs, strict=True):
            assert torch.equal(own, their)


def test_first_step_by_hand(training: MakeTraining) -> None:
    """At the first step both averages, freed of their bias, are the gradient and its square."""
    parameter = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    parameter.grad = torch.tensor([[0.5, -4.0]])
    Adam([parameter], training(adam_epsilon=1e-3)).step(0.1)
    expected = [1 - 0.1 * 0.5 / (0.5 + 1e-3), -2 + 0.1 * 4 / (4 + 1e-3)]
    torch.testing.assert_close(parameter.detach(), torch.tensor([expected]))


def test_weight_decay_acts_on_matrices_alone(training: MakeTraining) -> None:
    matrix, vector = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4))
    adam = Adam([matrix, vector], training(weight_decay=0.5))
    for parameter in (matrix, vector):
        parameter.grad = torch.zeros_like(parameter)
    adam.step(0.1)
    torch.testing.assert_close(matrix.detach(), torch.full((2, 3), 0.95))
    torch.testing.assert_close(vector.detach(), torch.ones(4))


def test_weight_decay_leaves_a_frozen_layer_of_a_model(transformer: MakeModel, training: MakeTraining) -> None:
    model = transformer()
    model.encoder.layers[0].requires_grad_(False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    state = TrainingState(model, training(weight_decay=0.5))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    state.step(0.1)
    for name, parameter in model.named_parameters():
        decays = parameter.dim() > 1 and parameter.requires_grad
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 0.95 if decays else 1.0), msg=name)


def test_what_has_no_gradient_stays(training: MakeTraining) -> None:
    trained, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    adam = Adam([trained, other], training(weight_decay=0.5))
    trained.grad = torch.ones(2, 2)
    adam.step(0.1)
    assert torch.equal(other, torch.ones(2, 2))
    assert adam.state[other]["step"] == 0
    assert adam.state[trained]["step"] == 1
