"""Random vectors: their size, their seed, and the same draws after either distribution."""

import pytest
import torch

from stageformer.vectors.random import RandomVectors

TOKENS = [f"t{n}" for n in range(400)]


@pytest.mark.parametrize(("distribution", "deviation"), [("normal", 64**-0.5), ("xavier", (2 / (400 + 64)) ** 0.5)])
def test_every_token_has_a_vector_of_the_right_size(distribution: str, deviation: float) -> None:
    found = RandomVectors(distribution, 64, torch.Generator().manual_seed(1)).vectors(TOKENS)
    assert found.rows == list(range(400))
    assert found.coverage == 1.0
    assert found.vectors.shape == (400, 64)
    assert found.vectors.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(found.vectors.mean().item()) < 0.003


def test_the_draws_are_those_of_the_seed_and_go_on() -> None:
    first, second = (RandomVectors("normal", 8, torch.Generator().manual_seed(1)) for _ in range(2))
    generator = torch.Generator().manual_seed(1)
    for count in (3, 5):
        expected = torch.randn(count, 8, generator=generator) * 8**-0.5
        assert torch.equal(first.vectors(TOKENS[:count]).vectors, expected)
        assert torch.equal(second.vectors(TOKENS[:count]).vectors, expected)
