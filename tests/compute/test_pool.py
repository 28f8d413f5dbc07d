"""Every pool gives the results of a plain ``map``, in order, and reads its parts only as it needs them."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from stageformer.compute.device import make_pool
from stageformer.compute.pool import Pool, Serial, Threads
from stageformer.params.compute import Compute

POOLS: dict[str, Callable[[], Pool]] = {
    "serial": Serial,
    "one thread": lambda: Threads(1),
    "three threads": lambda: Threads(3),
}


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with POOLS[request.param]() as pool:
        yield pool


def test_results_come_in_the_order_of_the_parts(pool: Pool) -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.02 / (number + 1))
        return number * number

    assert list(pool.map(slow_at_first, range(20))) == [number * number for number in range(20)]


def test_nothing_to_do(pool: Pool) -> None:
    assert list(pool.map(str, [])) == []


def test_a_pool_is_used_again_and_inside_of_its_own_map(pool: Pool) -> None:
    totals = [sum(pool.map(int, str(text))) for text in pool.map(str, (12, 345))]
    assert totals == [3, 12]


def test_parts_are_read_only_as_they_are_needed(pool: Pool) -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    for result in pool.map(lambda number: number, parts()):
        assert len(read) <= result + 1 + pool.workers
    assert len(read) == 100


def test_an_error_comes_in_its_place_and_ends_the_rest(pool: Pool) -> None:
    begun: list[int] = []

    def fail_at_five(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise ValueError("five")
        return number

    results: list[int] = []
    with pytest.raises(ValueError, match="five"):
        results.extend(pool.map(fail_at_five, range(1000)))
    assert results == list(range(5))
    assert len(begun) <= 6 + 2 * pool.workers
    assert list(pool.map(str, [1])) == ["1"]


def test_floating_point_sums_do_not_depend_on_the_pool() -> None:
    generator = torch.Generator().manual_seed(1)
    parts = [torch.randn(257, generator=generator) for _ in range(50)]
    totals = []
    for make in POOLS.values():
        total = torch.zeros(())
        with make() as pool:
            for part in pool.map(lambda part: part.softmax(-1).square().sum(), parts):
                total = total + part
        totals.append(total)
    assert all(torch.equal(total, totals[0]) for total in totals)


@pytest.mark.parametrize(
    ("changes", "pieces", "workers", "threads_each"),
    [
        ({"threads": 4}, 2, 2, 2),
        ({"threads": 4}, 8, 4, 1),
        ({"threads": 3}, 2, 2, 1),
        ({"threads": 4}, 0, 1, 4),
        ({"threads": 4, "compile": True}, 8, 1, 4),
        ({"threads": 4, "device": "cuda"}, 8, 1, 4),
    ],
)
def test_threads_are_shared_out_among_workers(
    make_compute: Callable[..., Compute], changes: dict[str, object], pieces: int, workers: int, threads_each: int
) -> None:
    before = torch.get_num_threads()
    try:
        with make_pool(make_compute(**changes), pieces) as pool:
            assert pool.workers == workers
            barrier = threading.Barrier(workers)

            def threads_of_torch(_: int) -> int:
                barrier.wait(timeout=10)  # so that each worker takes one part
                return torch.get_num_threads()

            assert list(pool.map(threads_of_torch, range(workers))) == [threads_each] * workers
    finally:
        torch.set_num_threads(before)
