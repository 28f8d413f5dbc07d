"""Positions and token embeddings by hand."""

import math

import pytest
import torch

from stageformer.model.config import EmbeddingConfig
from stageformer.model.embedding import Embedding, PositionalEncoding, sinusoidal_positions

IDS = torch.tensor([[3, 1, 3]])


def embedding(positions: str, scale: bool = True) -> Embedding:
    torch.manual_seed(0)
    return Embedding(EmbeddingConfig(5, 8, scale, positions, max_length=4)).eval()


@pytest.mark.parametrize("position", [0, 1, 7, 63])
@pytest.mark.parametrize("dimension", [0, 1, 4, 5, 14, 15])
def test_sinusoidal_entries(position: int, dimension: int) -> None:
    angle = position / 10_000 ** ((dimension // 2 * 2) / 16)
    expected = math.sin(angle) if dimension % 2 == 0 else math.cos(angle)
    assert sinusoidal_positions(64, 16)[position, dimension].item() == pytest.approx(expected, abs=1e-7)


def test_sinusoidal_odd_width() -> None:
    table = sinusoidal_positions(5, 3)
    expected = [math.sin(4), math.cos(4), math.sin(4 / 10_000 ** (2 / 3))]
    assert table[4].tolist() == pytest.approx(expected, abs=1e-6)


def test_embedding_is_scaled_and_positions_added() -> None:
    model = embedding("sinusoidal")
    expected = model.weight[IDS[0]] * math.sqrt(8) + sinusoidal_positions(4, 8)[:3]
    torch.testing.assert_close(model(IDS)[0], expected)
    unscaled = embedding("none", scale=False)
    torch.testing.assert_close(unscaled(IDS)[0], unscaled.weight[IDS[0]])


def test_no_positions_know_no_order() -> None:
    assert torch.equal(embedding("none")(IDS)[0, 0], embedding("none")(IDS)[0, 2])
    assert not torch.equal(embedding("sinusoidal")(IDS)[0, 0], embedding("sinusoidal")(IDS)[0, 2])


def test_learned_positions_are_trained_and_sinusoidal_are_not() -> None:
    model = embedding("learned")
    model(IDS).sum().backward()
    gradient = dict(model.named_parameters())["positions"].grad
    assert gradient is not None
    assert gradient.sum(1).tolist() == [8.0, 8.0, 8.0, 0.0]
    assert [name for name, _ in embedding("sinusoidal").named_parameters()] == ["weight"]
    assert list(embedding("sinusoidal").state_dict()) == ["weight"]


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_start_is_the_position_of_the_first_token(positions: str) -> None:
    model = embedding(positions)
    torch.testing.assert_close(model(IDS)[:, 2:], model(IDS[:, 2:], start=2))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_beyond_the_table(positions: str) -> None:
    model = embedding(positions)
    assert model(torch.ones(1, 4, dtype=torch.long)).shape == (1, 4, 8)
    with pytest.raises(ValueError, match=r"5 tokens .* \(4\)"):
        model(torch.ones(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="5 tokens"):
        model(torch.ones(1, 1, dtype=torch.long), start=4)
    assert embedding("none")(torch.ones(1, 9, dtype=torch.long)).shape == (1, 9, 8)


def test_unknown_positions() -> None:
    with pytest.raises(ValueError, match="allowed: sinusoidal, learned, none"):
        embedding("rotary")


def test_positional_encoding_adds_the_table_that_the_embedding_adds() -> None:
    model = embedding("sinusoidal")
    encoding = PositionalEncoding(8, max_length=4)
    assert torch.equal(encoding(torch.nn.functional.embedding(IDS, model.weight) * math.sqrt(8)), model(IDS))
    assert torch.equal(encoding(torch.zeros(2, 1, 8), start=3), sinusoidal_positions(4, 8)[3:].expand(2, 1, 8))
    assert not encoding.state_dict()
    with pytest.raises(ValueError, match=r"5 tokens .* \(4\)"):
        encoding(torch.zeros(1, 5, 8))
