"""The whole model on the reference and on the kernels."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stageformer.kernels.choice import KERNELS, kernels
from stageformer.kernels.draws import draw_from
from stageformer.model import EmbeddingConfig, StackConfig, Transformer, TransformerConfig

B, S, T, D, V = 3, 7, 6, 16, 19


def make(norm: str, attention_only: bool = False, rate: float = 0.0, heads: tuple[int, ...] = (4,)) -> Transformer:
    torch.manual_seed(0)
    num_heads, d_k, d_v = (*heads, None, None)[:3]
    stack = StackConfig(
        D, 2, num_heads, 24, norm=norm, attention_only=attention_only, residual_dropout=rate, embedding_dropout=rate,
        attention_dropout=rate, d_k=d_k, d_v=d_v,
    )  # fmt: skip
    side = EmbeddingConfig(V, D, max_length=200)
    return Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True)).double()


def run(model: Transformer, length: int = S) -> dict[str, Tensor]:
    """The hidden states, and the gradient of every weight."""
    generator = torch.Generator().manual_seed(1)
    source_ids, target_ids = (torch.randint(0, V, (B, n), generator=generator) for n in (length, length - 1))
    present = torch.arange(length) < torch.tensor([[length], [0], [2]])
    with draw_from(torch.Generator().manual_seed(2)):
        hidden = model(source_ids, target_ids, present)
    factors = torch.randn(hidden.shape, dtype=torch.float64, generator=generator)
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad((hidden * factors).sum(), list(parameters.values()))
    return {"hidden": hidden.detach(), **dict(zip(parameters, gradients, strict=True))}


@pytest.mark.parametrize("heads", [(4,), (4, 4, 4), (3, 2, 5), (2, 9, 9)])
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize(("norm", "attention_only"), [("post", False), ("pre", False), ("post", True)])
def test_hidden_states_and_gradients_are_the_same(
    norm: str, attention_only: bool, rate: float, heads: tuple[int, ...]
) -> None:
    results = []
    for name in KERNELS:
        with kernels(name):
            results.append(run(make(norm, attention_only, rate, heads)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-10)
    assert all(gradient.isfinite().all() for gradient in results[0].values())


def test_widths_of_heads_that_are_the_default_give_the_same_bits() -> None:
    given, left_out = run(make("pre", heads=(4, 4, 4))), run(make("pre"))
    assert all(torch.equal(given[name], left_out[name]) for name in left_out)


@pytest.mark.parametrize("length", [S, 150])
def test_dropout_follows_from_the_generator_of_the_thread_alone(length: int) -> None:
    """Whatever the length of the sentences, and on the reference as well."""
    model = make("post", rate=0.3)
    results = []
    for name in KERNELS:
        for seed in (3, 4):
            torch.manual_seed(seed)  # torch's own generator, which all threads share
            state = torch.get_rng_state()
            with kernels(name):
                results.append(run(model, length))
            assert torch.equal(torch.get_rng_state(), state), "it draws from there"
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", KERNELS)
def test_the_choice_is_followed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that runs on the reference calls no kernel, and the other way round."""
    called = []

    def note(module: str, function: str) -> Callable[..., None]:
        def called_instead(*_: object, **__: object) -> None:
            called.append(function)
            raise AssertionError(f"{module}.{function} was called")

        return called_instead

    monkeypatch.setattr("stageformer.kernels.attention._products", note("kernels.attention", "fast"))
    monkeypatch.setattr("stageformer.model.attention.attention_matrices", note("model.attention", "reference"))
    with kernels(name), pytest.raises(AssertionError, match="was called"):
        run(make("post"))
    assert called == [name]
