"""Muon against the singular value decomposition, and against torch's own."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from stageformer.compute.pool import Pool, Serial, Threads
from stageformer.kernels.choice import KERNELS, kernels
from stageformer.model.config import StackConfig
from stageformer.model.layers import EncoderLayer
from stageformer.model.transformer import Transformer
from stageformer.params.training import Training
from stageformer.training.muon import Muon, matrices_of_layers, orthogonalise
from stageformer.training.optimizer import Adam

MakeModel = Callable[..., Transformer]
MakeTraining = Callable[..., Training]
RATES = (0.01, 0.02, 0.005)


@pytest.fixture(params=KERNELS, autouse=True)
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both formulations in turn."""
    with kernels(request.param):
        yield request.param


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def give_gradients(model: nn.Module, step: int) -> None:
    for place, parameter in enumerate(model.parameters()):
        parameter.grad = random(*parameter.shape, seed=1000 * step + place)


@pytest.mark.parametrize("shape", [(16, 16), (8, 32), (32, 8), (1, 9)])
def test_singular_values_become_about_one_and_singular_vectors_stay(shape: tuple[int, int]) -> None:
    left, _, right = torch.linalg.svd(random(*shape), full_matrices=False)
    values = torch.logspace(0, -1.5, len(right))
    (result,) = orthogonalise([left * values @ right], iterations=5)
    inner = left.T @ result @ right.T  # diagonal, in the basis of the singular vectors
    assert (inner - inner.diag().diag()).abs().max() < 1e-4
    assert inner.diag().min() > 0.65
    assert inner.diag().max() < 1.25


def test_zeros_stay_zeros() -> None:
    assert orthogonalise([torch.zeros(3, 4)], iterations=5)[0].abs().max() == 0


def test_equals_muon_of_torch(training: MakeTraining, transformer: MakeModel) -> None:
    """Torch's computes the orthogonal factor in bfloat16, to about three digits."""
    model, theirs = transformer(d_model=32), transformer(d_model=32)
    params = training(optimizer="muon", muon_momentum=0.9, weight_decay=0.3)
    ours = Muon(model, params, Serial())
    weight, reference = model.encoder.layers[0].feed_forward.inner.weight, theirs.encoder.layers[0].feed_forward
    optimizer = torch.optim.Muon(
        [reference.inner.weight], momentum=0.9, weight_decay=0.3, adjust_lr_fn="match_rms_adamw"
    )
    for step, rate in enumerate(RATES):
        give_gradients(model, step)
        give_gradients(theirs, step)
        before = weight.detach().clone()
        optimizer.param_groups[0]["lr"] = rate
        ours.step(rate)
        optimizer.step()
        reached, expected = weight.detach() - before, reference.inner.weight.detach() - before
        assert torch.linalg.vector_norm(reached - expected) < 0.02 * torch.linalg.vector_norm(expected)
        reference.inner.weight.data.copy_(weight.detach())  # so that rounding does not add up


def test_query_key_and_value_are_three_matrices(training: MakeTraining, transformer: MakeModel) -> None:
    model = transformer(d_model=16)
    attention = model.encoder.layers[0].self_attention
    weight = attention.in_projection.weight
    before = weight.detach().clone()
    give_gradients(model, 0)
    gradient = weight.grad.clone() if weight.grad is not None else torch.empty(0)
    Muon(model, training(optimizer="muon", muon_momentum=0.0), Serial()).step(0.1)
    parts = orthogonalise(gradient.chunk(3), iterations=5)
    torch.testing.assert_close(before - weight.detach(), 0.1 * 0.2 * 16**0.5 * torch.cat(parts))


def test_query_key_and_value_may_be_of_different_widths() -> None:
    layer = EncoderLayer(StackConfig(16, 1, 3, 8, d_k=2, d_v=5))
    rows = matrices_of_layers(layer)
    assert rows[layer.self_attention.in_projection.weight] == [6, 6, 15]
    assert rows[layer.self_attention.out_projection.weight] == [16]


def test_everything_else_moves_by_adam_to_the_bit(training: MakeTraining, transformer: MakeModel) -> None:
    model, other = transformer(), transformer()
    muon = Muon(model, training(optimizer="muon", weight_decay=0.1), Serial())
    adam = Adam(list(other.parameters()), training(weight_decay=0.1))
    for step, rate in enumerate(RATES):
        give_gradients(model, step)
        give_gradients(other, step)
        muon.step(rate)
        adam.step(rate)
    matrices = {id(weight) for weight in matrices_of_layers(model)}
    names = [name for name, parameter in model.named_parameters() if id(parameter) in matrices]
    assert names, "no matrix is trained by Muon"
    assert all(".layers." in name and name.endswith("weight") and "norm" not in name for name in names)
    for (name, own), their in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(own, their) == (name not in names), name


def test_all_matrices_inside_the_layers_are_found(transformer: MakeModel) -> None:
    model = transformer(num_layers=2)
    expected = [p for n, p in model.named_parameters() if ".layers." in n and p.dim() == 2]
    assert {id(weight) for weight in matrices_of_layers(model)} == {id(weight) for weight in expected}


def test_what_has_no_gradient_stays(training: MakeTraining, transformer: MakeModel) -> None:
    model = transformer()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    Muon(model, training(optimizer="muon", weight_decay=0.5), Serial()).step(0.1)
    assert all(torch.equal(was, now) for was, now in zip(before, model.parameters(), strict=True))


def test_threads_change_no_bit(training: MakeTraining, transformer: MakeModel) -> None:
    def trained(pool: Pool) -> list[Tensor]:
        model = transformer(d_model=64, num_layers=3)
        with pool:
            muon = Muon(model, training(optimizer="muon"), pool)
            for step, rate in enumerate(RATES):
                give_gradients(model, step)
                muon.step(rate)
        return [parameter.detach() for parameter in model.parameters()]

    one, three = trained(Serial()), trained(Threads(3, lambda: torch.set_num_threads(1)))
    assert all(torch.equal(own, other) for own, other in zip(one, three, strict=True))
