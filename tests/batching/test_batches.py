"""Batches: every sentence once, the budget kept, little padding, an order that follows from seed and epoch."""

import gzip
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.batching.batches import batches_by_length, cut_batches, plan_batches

Ints = npt.NDArray[np.int64]
SHARED_DATA = Path(os.environ.get("STAGEFORMER_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def synthetic_lengths(count: int = 20_000) -> tuple[Ints, Ints]:
    """Lengths like those of image captions: a long tail, and the two sides correlated at about 0.8."""
    generator = np.random.default_rng(0)
    source = generator.gamma(9, 1.5, count) + 2
    target = source * generator.normal(1.03, 0.16, count)
    return source.astype(np.int64).clip(2), target.astype(np.int64).clip(2)


def multi30k_lengths() -> tuple[Ints, Ints]:
    def side(language: str) -> Ints:
        path = SHARED_DATA / "multi30k" / f"train.{language}.gz"
        if not path.exists():
            pytest.skip(f"no Multi30k at {path.parent}; set STAGEFORMER_SHARED_DATA")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return np.array([len(line.replace(".", " .").replace(",", " ,").split()) + 1 for line in lines])

    return side("en"), side("de")


def padding(plan: list[Ints], lengths: Ints) -> float:
    return 1 - lengths.sum() / sum(len(rows) * lengths[rows].max() for rows in plan)


lengths_of_a_corpus = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=300)


@settings(max_examples=60, deadline=None)
@given(lengths_of_a_corpus, st.integers(1, 400), st.integers(0, 5))
def test_every_sentence_once_and_within_the_budget(pairs: list[tuple[int, int]], budget: int, epoch: int) -> None:
    source, target = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    plan = plan_batches(source, target, budget, seed=1, epoch=epoch)
    assert sorted(row for rows in plan for row in rows.tolist()) == list(range(len(pairs)))
    for rows in plan:
        assert len(rows) > 0
        if len(rows) > 1:
            assert len(rows) * max(source[rows].max(), target[rows].max()) <= budget


@pytest.mark.parametrize("corpus", [synthetic_lengths, multi30k_lengths])
@pytest.mark.parametrize("budget", [1500, 4096])
def test_padding_is_under_five_percent_on_both_sides(corpus, budget: int) -> None:
    source, target = corpus()
    for epoch in range(3):
        plan = plan_batches(source, target, budget, seed=1, epoch=epoch)
        assert padding(plan, source) < 0.05
        assert padding(plan, target) < 0.05
        # The budget is used: no more than a third more batches than a plan without any padding has.
        assert len(plan) < 1.34 * np.maximum(source, target).sum() / budget


def test_seed_and_epoch_decide() -> None:
    source, target = synthetic_lengths(2000)

    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [rows.tolist() for rows in plan_batches(source, target, 500, seed=seed, epoch=epoch)]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(1, 1)
    assert plan(1, 0) != plan(2, 0)
    # Not the order of the batches alone: their members change, too, wherever lengths repeat.
    first, second = ({frozenset(rows) for rows in plan(1, epoch)} for epoch in range(2))
    assert len(first & second) < 0.1 * len(first)


def test_batches_are_not_in_the_order_of_length() -> None:
    source, target = synthetic_lengths(5000)
    means = [source[rows].mean() for rows in plan_batches(source, target, 500, seed=1, epoch=0)]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


def test_cut_batches() -> None:
    def cut(*lengths: int) -> list[tuple[int, int]]:
        return [(part.start, part.stop) for part in cut_batches(np.array(lengths, dtype=np.int64), 10)]

    assert cut(5, 5, 5) == [(0, 2), (2, 3)]
    assert cut(1, 2, 3, 4) == [(0, 3), (3, 4)]
    assert cut(3, 25, 3) == [(0, 1), (1, 2), (2, 3)]  # the long one is a batch of its own
    assert cut(25) == [(0, 1)]
    assert cut(*[1] * 21) == [(0, 10), (10, 20), (20, 21)]
    assert cut() == []


def test_one_over_long_sentence_is_a_batch_of_its_own() -> None:
    source, target = np.array([3, 3, 3, 50]), np.array([4, 4, 4, 4])
    plan = plan_batches(source, target, 12, seed=0, epoch=0)
    assert sorted(sorted(rows.tolist()) for rows in plan) == [[0, 1, 2], [3]]


def test_batches_by_length_keeps_the_order_of_equals() -> None:
    assert [rows.tolist() for rows in batches_by_length(np.array([4, 2, 4, 2, 1]), 8)] == [[4, 1, 3], [0, 2]]
