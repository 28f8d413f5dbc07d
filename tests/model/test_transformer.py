"""The whole model: its size, its shared weights, and the attention-only ablation."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from stageformer.building.model_files import config_from, config_values
from stageformer.building.weights import load_weights, weights_of
from stageformer.model.attention import padding_mask
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Encoder, Transformer


def config(
    vocabulary: int = 17, d_model: int = 16, num_layers: int = 2, num_heads: int = 4, d_ff: int = 24, **options: object
) -> TransformerConfig:
    stack = StackConfig(d_model, num_layers, num_heads, d_ff)
    embedding = EmbeddingConfig(vocabulary, d_model)
    base = TransformerConfig(embedding, embedding, stack, stack, share_embeddings=True)
    return dataclasses.replace(base, **options)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def expected_count(v: int, d: int, n: int, f: int) -> int:
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    return v * d + n * (attention + feed_forward + 2 * norm) + n * (2 * attention + feed_forward + 3 * norm)


def test_size_of_the_base_model() -> None:
    with torch.device("meta"):
        model = Transformer(config(37_000, 512, 6, 8, 2048))
    assert count(model) == expected_count(37_000, 512, 6, 2048)
    assert 63e6 < count(model) < 65e6


def test_size_of_the_small_model() -> None:
    assert count(Transformer(config(10_000, 128, 4, 4, 256))) == expected_count(10_000, 128, 4, 256)
    assert expected_count(10_000, 128, 4, 256) == pytest.approx(2.6e6, rel=0.03)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("tie", [False, True])
def test_shared_and_tied_matrices(share: bool, tie: bool) -> None:
    model = Transformer(config(share_embeddings=share, tie_output=tie))
    matrices = 1 + (not share) + (not tie)
    assert sum(list(weight.shape) == [17, 16] for weight in weights_of(model).values()) == matrices
    assert (model.decoder.embedding.weight is model.encoder.embedding.weight) == share
    assert (model.decoder.output_weight is model.decoder.embedding.weight) == tie


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("tie", [False, True])
def test_weights_round_trip(share: bool, tie: bool) -> None:
    torch.manual_seed(0)
    first = Transformer(config(share_embeddings=share, tie_output=tie)).eval()
    second = Transformer(config(share_embeddings=share, tie_output=tie)).eval()
    source, target = torch.randint(0, 17, (2, 5)), torch.randint(0, 17, (2, 4))
    assert not torch.allclose(first(source, target), second(source, target), atol=1e-2)
    load_weights(second, weights_of(first))
    assert torch.equal(first(source, target), second(source, target))
    assert (second.decoder.embedding.weight is second.encoder.embedding.weight) == share


def test_weights_that_do_not_fit_are_refused() -> None:
    model = Transformer(config())
    weights = weights_of(model)
    missing = {name: weight for name, weight in weights.items() if name != "encoder.embedding.weight"}
    with pytest.raises(ValueError, match=r"missing \['encoder.embedding.weight'\]"):
        load_weights(model, missing)
    with pytest.raises(ValueError, match=r"unknown \['more'\]"):
        load_weights(model, weights | {"more": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"shape \[18, 16\], the model needs \[17, 16\]"):
        load_weights(model, weights | {"encoder.embedding.weight": torch.zeros(18, 16)})


def test_sharing_needs_one_vocabulary() -> None:
    with pytest.raises(ValueError, match="one vocabulary"):
        Transformer(config(target=EmbeddingConfig(18, 16)))


def test_config_round_trip() -> None:
    original = config(tie_output=False)
    assert config_from(config_values(original)) == original


@pytest.mark.parametrize(
    ("change", "message"),
    [({"num_heads": 3}, "does not divide"), ({"activation": "tanh"}, "relu, gelu"), ({"norm": "mid"}, "post, pre")],
)
def test_impossible_stacks(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config().encoder, **change)


def test_heads_of_given_widths_need_not_fill_the_model() -> None:
    stack = dataclasses.replace(config().encoder, num_heads=3, d_k=2, d_v=5)
    original = config(encoder=stack, decoder=stack)
    assert config_from(config_values(original)) == original
    attention = 16 * 3 * (2 + 2 + 5) + 3 * (2 + 2 + 5) + 3 * 5 * 16 + 16
    usual = 4 * (16 * 16 + 16)
    assert count(Transformer(original)) == count(Transformer(config())) + 2 * 3 * (attention - usual)
    with pytest.raises(ValueError, match="num_heads is 3, which does not divide"):
        dataclasses.replace(stack, d_v=None)
    assert "d_k" not in config_values(config())["encoder"], "files of models without them stay as they are"


def test_each_projection_of_an_attention_begins_by_its_own_size() -> None:
    torch.manual_seed(0)
    stack = StackConfig(128, 1, 4, 512, d_k=4, d_v=128)
    attention = Transformer(config(1000, 128, encoder=stack, decoder=stack)).encoder.layers[0].self_attention
    for part, rows in zip(attention.in_projection.weight.split([16, 16, 512]), (16, 16, 512), strict=True):
        assert part.abs().max().item() == pytest.approx(math.sqrt(6 / (128 + rows)), rel=0.01)


def test_initialisation() -> None:
    torch.manual_seed(0)
    model = Transformer(config(1000, 128, 1, 4, 512))
    layer = model.encoder.layers[0]
    for third in layer.self_attention.in_projection.weight.chunk(3):
        # Xavier for a square matrix of its own, not for the [3 D, D] that it is part of.
        assert third.abs().max().item() == pytest.approx(math.sqrt(6 / 256), rel=0.01)
    assert layer.feed_forward.inner.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 640), rel=0.01)
    assert not layer.feed_forward.inner.bias.any()
    assert model.encoder.embedding.weight.std().item() == pytest.approx(128**-0.5, rel=0.02)


def test_norm_after_the_last_layer_is_for_pre_norm_alone() -> None:
    for norm, expected in (("post", nn.Identity), ("pre", nn.LayerNorm)):
        stack = dataclasses.replace(config().encoder, norm=norm)
        model = Transformer(config(encoder=stack, decoder=stack))
        assert type(model.encoder.norm) is type(model.decoder.norm) is expected


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_attention_only_is_attention_after_attention(norm: str) -> None:
    torch.manual_seed(0)
    stack = dataclasses.replace(
        config().encoder, num_layers=3, norm=norm, attention_only=True, residual_dropout=0.5, num_heads=1
    )
    encoder = Encoder(config().source, stack)
    ids, present = torch.randint(0, 17, (2, 5)), torch.arange(5) < torch.tensor([[5], [3]])
    x = encoder.embedding(ids)
    for layer in encoder.layers:
        assert [name.split(".")[0] for name in weights_of(layer)] == ["self_attention"] * 4
        x = layer.self_attention(x, x, padding_mask(present))
    assert torch.equal(encoder(ids, present), x)
    assert isinstance(encoder.norm, nn.Identity)
    Transformer(config(encoder=stack, decoder=stack))(ids, ids, present).sum().backward()
