import numpy as np
import pytest
import torch
from matplotlib.image import imread

from stageformer.figures.attention import attention_heads, attention_map, choose_sentences
from stageformer.figures.positions import positions_heatmap
from stageformer.figures.traces import attention_weights
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.embedding import sinusoidal_positions
from stageformer.model.transformer import Transformer

LABELS = {"row_label": "row", "column_label": "column"}
STRANGE = ["$x", "a_{", "漢字", "שלום", "\x00\x1b[0m", " ", "\u202e", "<eos>", "\\frac", "🙂", ""]


def weights_of(*shape):
    values = np.random.default_rng(1).random(shape, dtype=np.float32)
    return values / values.sum(-1, keepdims=True)


def draw_map(path, rows, columns):
    weights = weights_of(len(rows), len(columns))
    attention_map(weights, rows, columns, path, title="title", caption=["cost: $5 and $6_", "漢字"], **LABELS)


def draw_heads(path, rows, columns):
    attention_heads(weights_of(2, 3, len(rows), len(columns)), rows, columns, path, title="title", **LABELS)


@pytest.mark.parametrize("draw", [draw_map, draw_heads])
def test_pictures_take_any_text_and_have_the_same_bytes(draw, tmp_path, recwarn):
    draw(tmp_path / "one.png", STRANGE, ["a", *STRANGE])
    draw(tmp_path / "two.png", STRANGE, ["a", *STRANGE])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not recwarn.list
    assert b"Software" not in (tmp_path / "one.png").read_bytes()
    draw(tmp_path / "other.png", STRANGE, ["b", *STRANGE])
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize("draw", [draw_map, draw_heads])
@pytest.mark.parametrize("size", [1, 100])
def test_pictures_of_any_size_stay_small(draw, size, tmp_path):
    draw(tmp_path / "one.png", ["word"] * size, ["word"] * size)
    assert 200 < max(imread(tmp_path / "one.png").shape) < 4_000


def test_settings_of_the_user_change_nothing(tmp_path):
    import matplotlib

    draw_map(tmp_path / "one.png", ["a"], ["b"])
    with matplotlib.rc_context({"figure.facecolor": "red", "font.size": 30, "text.usetex": True}):
        draw_map(tmp_path / "two.png", ["a"], ["b"])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("table", [sinusoidal_positions(50, 16), torch.zeros(3, 2), torch.randn(4, 6).half()])
def test_positions(table, tmp_path):
    positions_heatmap(table, tmp_path / "positions.png")
    assert imread(tmp_path / "positions.png").shape[0] > 300


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_attention_weights_are_those_that_the_model_uses(norm):
    torch.manual_seed(1)
    side = EmbeddingConfig(20, 16)
    model = Transformer(
        TransformerConfig(side, side, StackConfig(16, 2, 4, 32, norm=norm), StackConfig(16, 3, 2, 32, norm=norm))
    ).eval()
    source, target = [4, 5, 6, 7, 2], [1, 8, 9]
    weights = attention_weights(model, source, target)
    assert weights.encoder.shape == (2, 4, 5, 5)
    assert weights.decoder.shape == (3, 2, 3, 3)
    assert weights.cross.shape == (3, 2, 3, 5)
    for each in (weights.encoder, weights.decoder, weights.cross):
        np.testing.assert_allclose(each.sum(-1), 1.0, atol=1e-5)
    assert (np.triu(weights.decoder, 1) == 0).all(), "no token looks at later ones"
    assert not any(module._forward_pre_hooks for module in model.modules()), "the model is left as it was"

    # The weights times the values are what the fused attention of the model gives.
    layer = model.decoder.layers[0]
    captured = {}
    layer.cross_attention.register_forward_pre_hook(lambda module, arguments: captured.update(arguments=arguments))
    with torch.no_grad():
        model(torch.tensor([source]), torch.tensor([target]))
        query, memory, _ = captured["arguments"]
        _, value = layer.cross_attention.project_key_value(memory)
        heads = torch.from_numpy(weights.cross[0])[None] @ value
        expected = layer.cross_attention.out_projection(heads.transpose(1, 2).flatten(2))
        torch.testing.assert_close(layer.cross_attention(query, memory), expected, atol=1e-5, rtol=0)


def test_sentences_for_pictures_are_spread_and_readable():
    lengths = [3, 10, 50, 12, 8, 2, 20, 9]
    assert choose_sentences(lengths, 3) == [1, 4, 7]
    assert choose_sentences(lengths, 100) == [1, 3, 4, 6, 7]
    assert choose_sentences([2, 100], 5) == [0, 1]
    assert choose_sentences(lengths, 0) == []
    assert choose_sentences(lengths, 1) == [1]
