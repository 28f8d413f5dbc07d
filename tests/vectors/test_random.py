"""Random vectors: their size, their seed, and the same draws after any distribution."""

import pytest
import torch

from stageformer.vectors.random import random_vectors

DEVIATIONS = {"normal": 64**-0.5, "uniform": 64**-0.5, "xavier": (2 / (400 + 64)) ** 0.5}


@pytest.mark.parametrize("distribution", DEVIATIONS)
def test_every_row_is_a_vector_of_the_right_size(distribution: str) -> None:
    vectors = random_vectors(distribution, 400, 64, torch.Generator().manual_seed(1))
    assert vectors.shape == (400, 64)
    assert vectors.std().item() == pytest.approx(DEVIATIONS[distribution], rel=0.02)
    assert abs(vectors.mean().item()) < 0.003


@pytest.mark.parametrize(("distribution", "limit"), [("uniform", (3 / 64) ** 0.5), ("xavier", (6 / (400 + 64)) ** 0.5)])
def test_no_number_is_beyond_the_limit(distribution: str, limit: float) -> None:
    largest = random_vectors(distribution, 400, 64, torch.Generator().manual_seed(1)).abs().max().item()
    assert 0.99 * limit < largest <= limit


def test_the_draws_are_those_of_the_seed_and_go_on() -> None:
    drawn, expected = (torch.Generator().manual_seed(1) for _ in range(2))
    for count in (3, 5):
        assert torch.equal(
            random_vectors("normal", count, 8, drawn), torch.randn(count, 8, generator=expected) * 8**-0.5
        )
