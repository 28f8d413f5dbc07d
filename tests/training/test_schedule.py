"""Learning rates by hand."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from stageformer.params.training import Training
from stageformer.training.schedule import learning_rate


@pytest.mark.parametrize("schedule", ["inverse_sqrt", "constant", "linear", "cosine"])
def test_warm_up_is_linear_and_goes_on_without_a_jump(training: Callable[..., Training], schedule: str) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=100, max_updates=1000)
    assert [learning_rate(update, params) for update in (1, 50, 100)] == pytest.approx([0.004, 0.2, 0.4])
    assert learning_rate(101, params) == pytest.approx(0.4, rel=0.011)
    rates = [learning_rate(update, params) for update in range(100, 1001)]
    assert all(earlier >= later > 0 for earlier, later in pairwise(rates))


@pytest.mark.parametrize(
    ("schedule", "update", "expected"),
    [
        ("constant", 1000, 0.4),
        ("inverse_sqrt", 400, 0.2),  # sqrt(100 / 400)
        ("inverse_sqrt", 900, 0.4 / 3),
        ("linear", 101, 0.4),
        ("linear", 551, 0.2),  # 450 of 900 updates are left
        ("linear", 1000, 0.4 / 900),
        ("cosine", 101, 0.4),
        ("cosine", 401, 0.3),  # two thirds are left: (1 - cos(120 degrees)) / 2 = 3 / 4
        ("cosine", 551, 0.2),
        ("cosine", 1000, 0.0),
    ],
)
def test_after_the_warm_up(
    training: Callable[..., Training], schedule: str, update: int, expected: float
) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=100, max_updates=1000)
    assert learning_rate(update, params) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("schedule", ["inverse_sqrt", "constant", "linear", "cosine"])
def test_without_warm_up_the_first_update_has_the_peak(training: Callable[..., Training], schedule: str) -> None:
    params = training(schedule=schedule, learning_rate=0.4, warmup_updates=0, max_updates=10)
    assert learning_rate(1, params) == pytest.approx(0.4)
    assert learning_rate(10, params) > 0


def test_the_papers_formula(training: Callable[..., Training]) -> None:
    # d_model^-0.5 * min(update^-0.5, update * warmup^-1.5), section 5.3
    peak = (512 * 4000) ** -0.5
    params = training(schedule="inverse_sqrt", learning_rate=peak, warmup_updates=4000, max_updates=10**5)
    for update in (1, 1000, 4000, 4001, 50_000):
        expected = 512**-0.5 * min(update**-0.5, update * 4000**-1.5)
        assert learning_rate(update, params) == pytest.approx(expected)
