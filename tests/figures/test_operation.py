"""The matrices of the picture are those of the model, and satisfy the formulas of section 3.2.1 of the paper."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.figures.canvas import Box
from stageformer.figures.operation import KINDS, Operation, attention_operations
from stageformer.figures.operation_picture import Layout, operation_picture, strongest
from stageformer.figures.style import DIVERGING, SEQUENTIAL, render, style
from stageformer.figures.traces import attention_weights
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer

SOURCE, TARGET = [4, 5, 6, 7, 2], [1, 8, 9, 10]
SOURCE_TOKENS, TARGET_TOKENS = ["▁a", "b", "$c_", "▁d", "<eos>"], ["<bos>", "▁x", "y", "z"]


def make_model(norm="pre", attention_only=False, d_k=None, d_v=None):
    torch.manual_seed(1)
    side = EmbeddingConfig(20, 16)
    stacks = (StackConfig(16, layers, heads, 32, norm=norm, attention_only=attention_only, d_k=d_k, d_v=d_v)
              for layers, heads in ((2, 4), (3, 2)))
    model = Transformer(TransformerConfig(side, side, *stacks)).eval()
    for parameter in model.parameters():  # biases and norms that are not zero and one
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def operations(model, layer=2, head=2, kinds=KINDS):
    return attention_operations(
        model, SOURCE, TARGET, SOURCE_TOKENS, TARGET_TOKENS, kinds=kinds, layer=layer, head=head
    )


def close(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_matrices_satisfy_the_formulas(kind, norm):
    (o,) = operations(make_model(norm), kinds=[kind])
    num_queries, num_keys = {"encoder": (5, 5), "decoder": (4, 4), "cross": (4, 5)}[kind]
    d_k = 4 if kind == "encoder" else 8
    assert (len(o.query_tokens), len(o.key_tokens)) == o.mask.shape == (num_queries, num_keys)
    assert o.query_weight.shape == (16, d_k)
    close(o.query, o.query_input @ o.query_weight + o.query_bias)
    close(o.key, o.key_input @ o.key_weight + o.key_bias)
    close(o.value, o.key_input @ o.value_weight + o.value_bias)
    causal = np.tri(num_queries, num_keys, dtype=bool) if kind == "decoder" else np.ones(o.mask.shape, dtype=bool)
    np.testing.assert_array_equal(o.mask, causal)
    close(o.scores[o.mask], (o.query @ o.key.T / d_k**0.5)[o.mask])
    assert np.isneginf(o.scores[~o.mask]).all()

    query, key, value, mask = (torch.from_numpy(matrix) for matrix in (o.query, o.key, o.value, o.mask))
    close(o.output, F.scaled_dot_product_attention(query[None], key[None], value[None], attn_mask=mask)[0])
    identity = torch.eye(num_keys)[None]
    close(o.weights, F.scaled_dot_product_attention(query[None], key[None], identity, attn_mask=mask)[0])
    assert (o.key_input is o.query_input) == (kind != "cross") or np.array_equal(o.key_input, o.query_input)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_matrices_are_those_of_the_forward_pass(kind, norm):
    model = make_model(norm)
    stack = model.encoder if kind == "encoder" else model.decoder
    layer = stack.layers[1]
    module = layer.cross_attention if kind == "cross" else layer.self_attention
    seen = {}
    module.register_forward_hook(lambda _, arguments, output: seen.update(arguments=arguments, output=output))
    layer.register_forward_pre_hook(lambda _, arguments: seen.update(layer_input=arguments[0]))
    with torch.no_grad():
        model(torch.tensor([SOURCE]), torch.tensor([TARGET]))
        heads = [operations(model, head=head + 1, kinds=[kind])[0] for head in range(module.num_heads)]
        joined = torch.from_numpy(np.concatenate([o.output for o in heads], 1))
        close(module.out_projection(joined), seen["output"][0])
        close(heads[0].query_input, seen["arguments"][0][0])
        close(heads[0].key_input, seen["arguments"][1 if kind == "cross" else 0][0])
        if kind != "cross":
            norm_before = layer.self_attention_sublayer.norm if norm == "pre" else torch.nn.Identity()
            close(heads[0].query_input, norm_before(seen["layer_input"])[0])
        weights = getattr(attention_weights(model, SOURCE, TARGET), kind)
        np.testing.assert_array_equal([o.weights for o in heads], weights[1])


@pytest.mark.parametrize(
    ("model", "norm"), [(make_model("pre"), "pre"), (make_model("post"), "post"), (make_model("pre", True), "none")]
)
def test_the_picture_says_where_the_norm_is(model, norm):
    (o,) = operations(model, kinds=["encoder"])
    assert o.norm == norm
    _, texts = draw(o)
    assert sum("after its layer norm" in text for text in texts) == (norm == "pre")


def draw(operation):
    """Return what is drawn: each image with its colour map, and each text."""
    with style():
        figure = operation_picture(operation, ["Source: $5 for \x00"])
    images = [(np.ma.filled(image.get_array(), np.nan), image.get_cmap().name) for image in figure.axes[0].images]
    return images, [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_shows_every_matrix_with_its_values(kind):
    (o,) = operations(make_model(), kinds=[kind])
    drawn, texts = draw(o)
    signed = (o.query_input, o.key_input, o.query_weight, o.key_weight, o.value_weight, o.query, o.key, o.key.T,
              o.value, o.output, np.where(o.mask, o.scores, np.nan))
    for matrix, colors in (*((matrix, DIVERGING) for matrix in signed),
                           (np.where(o.mask, o.weights, np.nan), SEQUENTIAL)):
        assert any(
            colors == name and matrix.shape == shown.shape and np.array_equal(matrix, shown, equal_nan=True)
            for shown, name in drawn
        )  # fmt: skip
    for score in o.scores[o.mask]:
        assert f"{score:.2f}".replace("-", "−") in texts
    for weight in o.weights[o.mask]:
        assert (f"{weight:.2f}" if weight >= 0.005 else "0") in texts
    assert texts.count("−∞") == (~o.mask).sum(), "what is masked is minus infinity in the scores ..."
    assert texts.count("0") == 1 + (~o.mask).sum() + (o.weights[o.mask] < 0.005).sum(), "... and zero in the weights"
    # Shapes under the matrices, tokens beside rows and over columns.
    d_k = o.query.shape[1]
    for shape in ((o.mask.shape), (16, d_k), (len(o.key_tokens), d_k), (d_k, len(o.key_tokens))):
        assert any(f"[{shape[0]} × {shape[1]}]" in text for text in texts)
    for token in o.key_tokens:
        assert texts.count(token) >= 4
    assert any(f"layer 2 of {o.num_layers}, head 2 of {o.num_heads}" in text for text in texts)


def test_numbers_are_left_out_where_they_do_not_fit():
    model = make_model()
    long = [4 + index % 10 for index in range(40)]
    tokens = ["t"] * 40
    (o,) = attention_operations(model, long, TARGET, tokens, TARGET_TOKENS, kinds=["encoder"], layer=1, head=1)
    _, texts = draw(o)
    assert not any(f"{weight:.2f}" in texts for weight in o.weights[0])


@pytest.mark.parametrize("format_", ["png", "svg"])
def test_the_same_operation_gives_the_same_bytes(format_):
    pictures = []
    for _ in range(2):
        (o,) = operations(make_model(), kinds=["decoder"])
        with style():
            pictures.append(render(operation_picture(o, ["Source: a"]), format_))
    assert pictures[0] == pictures[1]
    assert not any(word in pictures[0] for word in (b"Matplotlib v", b"dc:date", b"Software"))
    other = operations(make_model(), head=1, kinds=["decoder"])[0]
    with style():
        assert render(operation_picture(other, ["Source: a"]), format_) != pictures[0]


def empty_operation(num_queries, num_keys, d_k, d_model, token):
    queries, keys = np.zeros((num_queries, d_k), "f"), np.zeros((num_keys, d_k), "f")
    scores, weight, bias = np.zeros((num_queries, num_keys), "f"), np.zeros((d_model, d_k), "f"), np.zeros(d_k, "f")
    return Operation(
        kind="cross", layer=1, num_layers=1, head=1, num_heads=1, norm="pre",
        query_tokens=["x"] * num_queries, key_tokens=[token] * num_keys,
        query_input=np.zeros((num_queries, d_model), "f"), key_input=np.zeros((num_keys, d_model), "f"),
        query_weight=weight, key_weight=weight, value_weight=weight, query_bias=bias, key_bias=bias, value_bias=bias,
        query=queries, key=keys, value=keys, mask=scores == 0, scores=scores, weights=scores, output=queries,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    num_queries=st.integers(1, 60), num_keys=st.integers(1, 60), d_k=st.sampled_from([1, 8, 16, 17, 32, 64, 128]),
    d_model=st.sampled_from([8, 128, 1024]), token=st.sampled_from(["a", "▁authentication", "▁" + "long" * 20]),
)  # fmt: skip
def test_no_matrix_covers_another_or_leaves_the_sheet(num_queries, num_keys, d_k, d_model, token):
    layout = Layout(empty_operation(num_queries, num_keys, d_k, d_model, token), ["one", "two"])
    boxes = {name: box for name, box in vars(layout).items() if isinstance(box, Box)}
    assert len(boxes) == 12
    for name, box in boxes.items():
        assert 0 < box.x < box.right < layout.width, name
        assert 1 < box.y < box.bottom < layout.end < layout.height, name
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        apart = a.right < b.x or b.right < a.x or a.bottom < b.y or b.bottom < a.y
        assert apart, f"{one} covers {other}"
    assert layout.width < 45
    assert layout.height < 30


def test_the_outlined_pair_is_of_two_words():
    o = empty_operation(3, 3, 4, 8, "w")
    object.__setattr__(o, "query_tokens", ["<bos>", "a", "b"])
    object.__setattr__(o, "key_tokens", ["c", "d", "<eos>"])
    weights = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.1, 0.4, 0.5]])
    object.__setattr__(o, "weights", weights)
    assert strongest(o) == (2, 1)
    object.__setattr__(o, "kind", "encoder")
    weights[1] = [0.1, 0.8, 0.1]  # of a token to itself
    assert strongest(o) == (2, 1)
    object.__setattr__(o, "query_tokens", ["<bos>"] * 3)
    assert strongest(o) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_heads_of_other_widths_are_drawn_with_their_own_matrices(kind):
    (o,) = operations(make_model(d_k=3, d_v=7), kinds=[kind])
    assert (o.query_weight.shape, o.key_weight.shape, o.value_weight.shape) == ((16, 3), (16, 3), (16, 7))
    close(o.query, o.query_input @ o.query_weight + o.query_bias)
    close(o.key, o.key_input @ o.key_weight + o.key_bias)
    close(o.value, o.key_input @ o.value_weight + o.value_bias)
    close(o.output, o.weights @ o.value)
    assert len(render(operation_picture(o, ["a caption"]), "png")) > 1000
