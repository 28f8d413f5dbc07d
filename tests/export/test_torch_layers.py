"""Our layers and stacks against torch's own with the same weights: outputs and gradients to 1e-5."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from stageformer.building.weights import weights_of
from stageformer.export.torch_layers import from_torch_layer, load_torch_stack, to_torch_layer, to_torch_stack
from stageformer.kernels.choice import KERNELS, kernels
from stageformer.model.attention import causal_mask, padding_mask
from stageformer.model.config import EmbeddingConfig, StackConfig
from stageformer.model.layers import DecoderLayer, EncoderLayer
from stageformer.model.transformer import Decoder, Encoder

B, S, T, D, H, F = 3, 6, 5, 16, 4, 24
EMBEDDING = EmbeddingConfig(vocabulary_size=11, d_model=D, max_length=16)
SOURCE_PRESENT = torch.arange(S) < torch.tensor([[6], [3], [1]])
TARGET_PRESENT = torch.arange(T) < torch.tensor([[2], [5], [4]])


@pytest.fixture(autouse=True, params=KERNELS)
def either_formulation(request: pytest.FixtureRequest) -> Iterator[None]:
    """Torch's layers are compared with the reference and with the kernels."""
    with kernels(request.param):
        yield


every_kind = pytest.mark.parametrize(
    ("norm", "activation"), [("post", "relu"), ("post", "gelu"), ("pre", "relu"), ("pre", "gelu")]
)


def config(norm: str, activation: str, num_layers: int = 1) -> StackConfig:
    return StackConfig(D, num_layers, H, F, activation, norm)


def randomise(module: nn.Module) -> None:
    """Fill every weight, norms and biases included, so that no two weights are interchangeable."""
    torch.manual_seed(7)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)


def assert_alike(
    ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...], present: Tensor, inputs: tuple[list[Tensor], list[Tensor]]
) -> None:
    """Compare outputs at real positions, and the gradients of a random function of them."""
    direction = torch.randn(B, present.size(1), D, generator=torch.Generator().manual_seed(1))
    for output, leaves in ((ours[0], inputs[0]), (theirs[0], inputs[1])):
        (output * direction)[present].sum().backward(inputs=leaves)
    torch.testing.assert_close(ours[0][present], theirs[0][present], atol=1e-5, rtol=1e-5)
    for one, other in zip(inputs[0], inputs[1], strict=True):
        assert one.grad is not None
        assert one.grad.abs().sum() > 0
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-5)


def leaf(*shape: int, seed: int) -> list[Tensor]:
    """Return two equal leaves, one for either side."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return [x.clone().requires_grad_(), x.clone().requires_grad_()]


def paired_weights(ours: nn.Module, theirs: nn.Module, back: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Pair weights by a third module of our kind, in the order in which torch's weights were copied into it.

    ``back`` holds, in each of its weights, the number of the torch weight that it was copied from.
    """
    theirs_by_number = list(theirs.parameters())
    numbers = {name: int(weight.flatten()[0]) for name, weight in back.named_parameters()}
    ours_by_name = dict(ours.named_parameters())
    return [ours_by_name[name] for name in numbers], [theirs_by_number[number] for number in numbers.values()]


def numbered(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.fill_(number)
    return module


@every_kind
@pytest.mark.parametrize("padded", [False, True])
def test_encoder_layer(norm: str, activation: str, padded: bool) -> None:
    ours = EncoderLayer(config(norm, activation))
    randomise(ours)
    theirs = to_torch_layer(ours)
    assert isinstance(theirs, nn.TransformerEncoderLayer)
    back = from_torch_layer(numbered(to_torch_layer(ours)))  # type: ignore[arg-type]
    our_weights, their_weights = paired_weights(ours, theirs, back)
    x, y = leaf(B, S, D, seed=2)
    present = SOURCE_PRESENT if padded else torch.ones_like(SOURCE_PRESENT)
    output = ours(x, padding_mask(present) if padded else None)
    expected = theirs(y, src_key_padding_mask=~present if padded else None)
    assert_alike((output,), (expected,), present, ([x, *our_weights], [y, *their_weights]))


@every_kind
@pytest.mark.parametrize("padded", [False, True])
def test_decoder_layer(norm: str, activation: str, padded: bool) -> None:
    ours = DecoderLayer(config(norm, activation))
    randomise(ours)
    theirs = to_torch_layer(ours)
    assert isinstance(theirs, nn.TransformerDecoderLayer)
    back = from_torch_layer(numbered(to_torch_layer(ours)))  # type: ignore[arg-type]
    our_weights, their_weights = paired_weights(ours, theirs, back)
    (x, y), (memory, their_memory) = leaf(B, T, D, seed=2), leaf(B, S, D, seed=3)
    source = SOURCE_PRESENT if padded else torch.ones_like(SOURCE_PRESENT)
    target = TARGET_PRESENT if padded else torch.ones_like(TARGET_PRESENT)
    output = ours(x, memory, padding_mask(source) if padded else None)
    expected = theirs(
        y,
        their_memory,
        tgt_mask=~causal_mask(T),
        tgt_key_padding_mask=~target if padded else None,
        memory_key_padding_mask=~source if padded else None,
    )
    assert_alike((output,), (expected,), target, ([x, memory, *our_weights], [y, their_memory, *their_weights]))


@every_kind
def test_decoder_layer_with_its_own_target_mask(norm: str, activation: str) -> None:
    ours = DecoderLayer(config(norm, activation)).eval()
    randomise(ours)
    theirs = to_torch_layer(ours)
    x, memory = torch.randn(B, T, D), torch.randn(B, S, D)
    mask = padding_mask(TARGET_PRESENT) & causal_mask(T)
    expected = theirs(x, memory, tgt_mask=~causal_mask(T), tgt_key_padding_mask=~TARGET_PRESENT)
    torch.testing.assert_close(ours(x, memory, None, mask), expected, atol=1e-5, rtol=1e-5)


@every_kind
def test_encoder_stack(norm: str, activation: str) -> None:
    encoder = Encoder(EMBEDDING, config(norm, activation, num_layers=3))
    randomise(encoder)
    theirs = to_torch_stack(encoder)
    assert len(theirs.layers) == 3
    ids = torch.randint(0, 11, (B, S))
    x = encoder.embedding(ids).detach().requires_grad_()
    expected = theirs(x, src_key_padding_mask=~SOURCE_PRESENT)
    memory = encoder(ids, SOURCE_PRESENT)
    torch.testing.assert_close(memory[SOURCE_PRESENT], expected[SOURCE_PRESENT], atol=1e-5, rtol=1e-5)
    memory[SOURCE_PRESENT][:, 0].sum().backward()
    expected[SOURCE_PRESENT][:, 0].sum().backward()
    expected_gradient = torch.zeros(11, D).index_add_(0, ids.flatten(), x.grad.view(-1, D) * D**0.5)
    torch.testing.assert_close(encoder.embedding.weight.grad, expected_gradient, atol=1e-5, rtol=1e-5)


@every_kind
def test_decoder_stack(norm: str, activation: str) -> None:
    decoder = Decoder(EMBEDDING, config(norm, activation, num_layers=3))
    randomise(decoder)
    theirs = to_torch_stack(decoder)
    ids = torch.randint(0, 11, (B, T))
    memory, their_memory = leaf(B, S, D, seed=4)
    hidden = decoder(ids, memory, SOURCE_PRESENT)
    expected = theirs(
        decoder.embedding(ids), their_memory, tgt_mask=~causal_mask(T), memory_key_padding_mask=~SOURCE_PRESENT
    )
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=1e-5)
    hidden[:, :, 0].sum().backward()
    expected[:, :, 0].sum().backward()
    torch.testing.assert_close(memory.grad, their_memory.grad, atol=1e-5, rtol=1e-5)


@every_kind
@pytest.mark.parametrize("layer_class", [EncoderLayer, DecoderLayer])
def test_layer_round_trip(layer_class: type[EncoderLayer | DecoderLayer], norm: str, activation: str) -> None:
    ours = layer_class(config(norm, activation)).eval()
    randomise(ours)
    back = from_torch_layer(to_torch_layer(ours))
    assert type(back) is layer_class
    assert not back.training
    weights, returned = weights_of(ours), weights_of(back)
    assert weights.keys() == returned.keys()
    assert all(torch.equal(weights[name], returned[name]) for name in weights)
    inputs = (torch.randn(B, T, D), torch.randn(B, S, D))[: 1 if layer_class is EncoderLayer else 2]
    assert torch.equal(ours(*inputs, None), back(*inputs, None))
    with torch.no_grad():
        next(iter(back.parameters())).zero_()
    assert next(iter(ours.parameters())).abs().sum() > 0  # a copy, not the same storage


@every_kind
@pytest.mark.parametrize("stack_class", [Encoder, Decoder])
def test_stack_round_trip(stack_class: type[Encoder | Decoder], norm: str, activation: str) -> None:
    ours, other = (stack_class(EMBEDDING, config(norm, activation, 2)) for _ in range(2))
    randomise(ours)
    embedding = other.embedding.weight.detach().clone()
    load_torch_stack(other, to_torch_stack(ours))
    weights, returned = weights_of(ours), weights_of(other)
    assert torch.equal(returned.pop("embedding.weight"), embedding)
    assert all(torch.equal(weights[name], returned[name]) for name in returned)


def test_dropout_of_torchs_layer_is_kept() -> None:
    ours = from_torch_layer(nn.TransformerEncoderLayer(D, H, F, dropout=0.3))
    assert ours.self_attention.dropout.rate == 0.3
    assert ours.self_attention_sublayer.dropout.rate == 0.3


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(ValueError, match="attention only"):
        to_torch_layer(EncoderLayer(StackConfig(D, 1, H, F, attention_only=True)))
    with pytest.raises(ValueError, match="biases"):
        from_torch_layer(nn.TransformerEncoderLayer(D, H, F, bias=False))
    with pytest.raises(ValueError, match="layer_norm_eps"):
        from_torch_layer(nn.TransformerEncoderLayer(D, H, F, layer_norm_eps=1e-6))
    with pytest.raises(ValueError, match="activation"):
        from_torch_layer(nn.TransformerDecoderLayer(D, H, F, activation=nn.SiLU()))
    with pytest.raises(ValueError, match="activation"):
        from_torch_layer(nn.TransformerEncoderLayer(D, H, F, activation=nn.GELU("tanh")))
    assert isinstance(from_torch_layer(nn.TransformerEncoderLayer(D, H, F, activation=nn.GELU())), EncoderLayer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 2}, "num_heads"),
        ({"norm": "pre"}, "pre-norm"),
        ({"activation": "gelu"}, "activation"),
        ({"num_layers": 1}, "shorter|longer"),
        ({"d_ff": 8}, "shape"),
    ],
)
def test_unlike_stacks_are_refused(change: dict[str, int | str], message: str) -> None:
    base = {"d_model": D, "num_layers": 2, "num_heads": H, "d_ff": F}
    torch_stack = to_torch_stack(Encoder(EMBEDDING, StackConfig(**(base | change))))
    with pytest.raises(ValueError, match=message):
        load_torch_stack(Encoder(EMBEDDING, StackConfig(**base)), torch_stack)
