"""Attention against a calculation by hand, against its own trace, and against torch."""

import math

import pytest
import torch
from torch import nn

from stageformer.model.attention import MultiHeadAttention, SelfAttention, causal_mask, padding_mask, split_heads


def identity_attention(num_heads: int = 1, d_model: int = 2) -> MultiHeadAttention:
    """Attention of which query, key, value and output are the inputs themselves."""
    attention = MultiHeadAttention(d_model, num_heads)
    with torch.no_grad():
        attention.in_projection.weight.copy_(torch.eye(d_model).repeat(3, 1))
        attention.in_projection.bias.zero_()
        attention.out_projection.weight.copy_(torch.eye(d_model))
        attention.out_projection.bias.zero_()
    return attention


def test_two_tokens_by_hand() -> None:
    x = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    # Scores over sqrt(2): token 1 sees [1, 0], token 2 sees [0, 4].
    first = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    second = math.exp(4 / math.sqrt(2)) / (math.exp(4 / math.sqrt(2)) + 1)
    expected = torch.tensor([[[first, 2 * (1 - first)], [1 - second, 2 * second]]])
    torch.testing.assert_close(identity_attention()(x, x), expected)
    causal = torch.tensor([[[1.0, 0.0], [1 - second, 2 * second]]])
    torch.testing.assert_close(identity_attention()(x, x, causal=True), causal)


def test_heads_see_their_own_slice_of_the_width() -> None:
    x = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    trace = identity_attention(num_heads=2).trace(x, x)
    # d_k = 1: nothing to divide by; head 1 sees the first number of each token, head 2 the second.
    expected = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]]])
    torch.testing.assert_close(trace.scores, expected)


@pytest.mark.parametrize("num_heads", [1, 2, 4])
def test_shapes_of_the_trace(num_heads: int) -> None:
    trace = MultiHeadAttention(8, num_heads).trace(torch.randn(3, 5, 8), torch.randn(3, 7, 8))
    assert trace.query.shape == trace.heads.shape == (3, num_heads, 5, 8 // num_heads)
    assert trace.key.shape == trace.value.shape == (3, num_heads, 7, 8 // num_heads)
    assert trace.scores.shape == trace.weights.shape == (3, num_heads, 5, 7)
    assert trace.output.shape == (3, 5, 8)
    torch.testing.assert_close(trace.weights.sum(-1), torch.ones(3, num_heads, 5))
    d_k = 8 // num_heads
    torch.testing.assert_close(trace.scores, trace.query @ trace.key.mT / d_k**0.5)


@pytest.mark.parametrize("cross", [False, True])
def test_heads_of_other_widths_are_those_of_the_formula(cross: bool) -> None:
    """One head after the other, by loops over the formulas of section 3.2; H * d_k and H * d_v are not D."""
    torch.manual_seed(1)
    heads, d_k, d_v = 3, 2, 5
    attention = MultiHeadAttention(8, heads, d_k=d_k, d_v=d_v).double().eval()
    nn.init.normal_(attention.in_projection.bias)
    x = torch.randn(2, 4, 8, dtype=torch.float64)
    other = torch.randn(2, 6, 8, dtype=torch.float64) if cross else x
    weight, bias = attention.in_projection.weight, attention.in_projection.bias
    assert weight.shape == (heads * (2 * d_k + d_v), 8)
    assert attention.out_projection.weight.shape == (8, heads * d_v)
    found = []
    for head in range(heads):
        starts = (head * d_k, heads * d_k + head * d_k, 2 * heads * d_k + head * d_v)
        rows = [slice(start, start + width) for start, width in zip(starts, (d_k, d_k, d_v), strict=True)]
        query, key, value = (
            part @ weight[row].T + bias[row] for part, row in zip((x, other, other), rows, strict=True)
        )
        found.append((query @ key.mT / math.sqrt(d_k)).softmax(-1) @ value)
    expected = attention.out_projection(torch.cat(found, -1))
    trace = attention.trace(x, other)
    assert (trace.query.shape[-1], trace.key.shape[-1]) == (d_k, d_k)
    assert trace.value.shape[-1] == trace.heads.shape[-1] == d_v
    torch.testing.assert_close(attention(x, other), expected)
    torch.testing.assert_close(trace.output, expected)


@pytest.mark.parametrize("num_heads", [1, 4])
@pytest.mark.parametrize("kind", ["none", "causal", "padding", "both", "cross"])
def test_forward_equals_trace_and_torch(num_heads: int, kind: str) -> None:
    torch.manual_seed(1)
    ours = MultiHeadAttention(16, num_heads).eval()
    nn.init.normal_(ours.in_projection.bias)
    nn.init.normal_(ours.out_projection.bias)
    theirs = nn.MultiheadAttention(16, num_heads, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.in_projection.weight)
        theirs.in_proj_bias.copy_(ours.in_projection.bias)
        theirs.out_proj.weight.copy_(ours.out_projection.weight)
        theirs.out_proj.bias.copy_(ours.out_projection.bias)
    x = torch.randn(3, 5, 16)
    key_input = torch.randn(3, 6, 16) if kind == "cross" else x
    lengths = torch.tensor([5, 2, 4])
    present = torch.arange(key_input.size(1)) < lengths[:, None]
    padded = kind in ("padding", "both", "cross")
    causal = kind in ("causal", "both")
    mask = padding_mask(present) if padded else None
    if kind == "both":
        mask = padding_mask(present) & causal_mask(5)
    only_causal = kind == "causal"
    output = ours(x, key_input, mask, causal=only_causal)
    trace = ours.trace(x, key_input, mask, causal=only_causal)
    expected, weights = theirs(
        x,
        key_input,
        key_input,
        key_padding_mask=~present if padded else None,
        attn_mask=~causal_mask(5) if causal else None,
        average_attn_weights=False,
    )
    torch.testing.assert_close(trace.output, output.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(trace.weights, weights.detach(), atol=1e-6, rtol=1e-5)


def test_trace_uses_no_dropout_and_training_does() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, dropout=0.5)
    x = torch.randn(1, 6, 8)
    assert not torch.allclose(attention(x, x), attention.trace(x, x).output, atol=1e-3)
    torch.testing.assert_close(attention.eval()(x, x).detach(), attention.trace(x, x).output)


def test_without_a_second_input_it_is_self_attention() -> None:
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(8, 2), torch.randn(2, 5, 8)
    assert torch.equal(attention(x), attention(x, x))
    torch.testing.assert_close(attention(x), attention(x, x.clone()))  # another object: projected in two products
    assert torch.equal(attention.trace(x, causal=True).weights, attention.trace(x, mask=causal_mask(5)).weights)


def test_self_attention_has_one_head() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(8), torch.randn(2, 5, 8)
    weight, bias = attention.in_projection.weight, attention.in_projection.bias
    query, key, value = (x @ w.T + b for w, b in zip(weight.chunk(3), bias.chunk(3), strict=True))
    expected = attention.out_projection((query @ key.mT / math.sqrt(8)).softmax(-1) @ value)
    torch.testing.assert_close(attention(x), expected)
    assert attention.trace(x).weights.shape == (2, 1, 5, 5)


def test_mask_and_causal_together_are_refused() -> None:
    attention, x = MultiHeadAttention(8, 2), torch.randn(1, 3, 8)
    mask = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="not both"):
        attention(x, x, mask, causal=True)
    with pytest.raises(ValueError, match="not both"):
        attention.trace(x, x, mask, causal=True)


def test_a_number_that_is_none_stays_visible_in_the_trace() -> None:
    x = torch.full((1, 2, 4), math.nan)
    assert MultiHeadAttention(4, 1).trace(x, x).output.isnan().all()


@pytest.mark.parametrize("widths", [[12], [12, 12], [12, 12, 12], [6, 6, 15], [3, 9]])
def test_split_heads_has_the_values_and_gradients_of_views(widths: list[int]) -> None:
    projected = torch.randn(2, 5, sum(widths), dtype=torch.float64, requires_grad=True)
    heads = split_heads(projected, widths, 3)
    with torch.no_grad():
        views = split_heads(projected, widths, 3)
    parts = projected.split(widths, dim=-1)
    expected = [part.unflatten(-1, (3, part.size(-1) // 3)).transpose(1, 2) for part in parts]
    for head, view, wanted in zip(heads, views, expected, strict=True):
        assert torch.equal(head, wanted)
        assert torch.equal(view, wanted)
        assert head.is_contiguous()
    factors = [torch.randn_like(head) for head in heads]

    def gradient(parts_of: list[torch.Tensor]) -> torch.Tensor:
        total = sum((part * factor).sum() for part, factor in zip(parts_of, factors, strict=True))
        return torch.autograd.grad(total, projected)[0]

    assert torch.equal(gradient(list(heads)), gradient(expected))
