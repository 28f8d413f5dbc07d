"""Ray's workers give the results of a plain ``map``, on one node or two, also after a node was killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from stageformer.compute.engine import worker_pool
from stageformer.compute.pool import SERIAL, WorkerProcesses
from stageformer.errors import StageformerError

# Ray would take 127.0.0.1 for a name of this machine in its network, and connect there. Read at the import.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
ray = pytest.importorskip("ray", reason="Ray is an extra: stageformer[cluster]")

from stageformer.compute.ray_pool import ADDRESS, Ray  # noqa: E402
from tests.compute.test_worker_processes import Heavy, fail_at  # noqa: E402
from tests.corpus.test_many_workers import many_parts, parameters_of, run, write  # noqa: E402, F401


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on this machine, with one worker each."""
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    found = Cluster(initialize_head=True, head_node_args=settings)
    found.second = found.add_node(num_cpus=1, node_ip_address="127.0.0.1")
    yield found
    found.shutdown()


@pytest.fixture
def pool(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    monkeypatch.setenv(ADDRESS, cluster.address)
    with Ray(2) as pool:
        yield pool


def slowly(number: int) -> tuple[int, int]:
    time.sleep(0.05)
    return number * number, os.getpid()


def die_once(number: int, marker: Path) -> int:
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_the_bytes_are_those_of_the_local_engine_and_a_killed_node_is_replaced(
    pool: Ray, cluster: Any, make_params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "tsv")
    params = parameters_of("tsv", make_params)
    local = run(params, "bpe", SERIAL)
    assert pool.workers == 2
    assert run(params, "bpe", pool) == local
    results = pool.map(slowly, range(600))
    begun = [next(results)]
    while len({process for _, process in begun}) < 2:  # the worker of the second node may take its time to start
        begun.append(next(results))
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert [square for square, _ in [*begun, *results]] == [number * number for number in range(600)]
    assert run(params, "bpe", pool) == local


def test_parts_are_read_as_they_are_needed_and_the_function_is_sent_once(pool: Ray) -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(20):
            read.append(number)
            yield number

    for number, (result, times) in enumerate(pool.map(Heavy(), parts())):
        assert (result, times) == (number + 1_000_000, 1)
        assert len(read) <= number + 2 + pool.workers


def test_of_several_mistakes_the_first_is_reported(pool: Ray) -> None:
    def parts() -> Iterator[int]:
        yield from range(3)
        raise StageformerError("the file is cut off after 3")

    for bad, message in ((2, "file:2: bad"), (9, "the file is cut off after 3")):
        with pytest.raises(StageformerError, match=f"^{message}$"):
            list(pool.map(partial(fail_at, bad=bad), parts()))
    assert list(pool.map(str, [1])) == ["1"], "the pool goes on"


def test_a_part_whose_worker_dies_is_computed_again(pool: Ray, tmp_path: Path) -> None:
    marker = tmp_path / "died"
    assert list(pool.map(partial(die_once, marker=marker), range(6))) == list(range(6))
    assert marker.exists()


def test_without_an_address_it_starts_here_on_loopback_alone_and_ends(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    before = {process.pid for process in psutil.process_iter()}
    with worker_pool("ray", 1) as pool:
        assert isinstance(pool, Ray)
        assert list(pool.map(str, range(3))) == ["0", "1", "2"]
        started = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
        listening = {
            connection.laddr.ip for process in started for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }  # fmt: skip
        dashboards = [command for process in started if "dashboard.py" in (command := " ".join(process.cmdline()))]
    assert started
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, listening
    assert all("--disable-frontend" in command for command in dashboards), dashboards
    assert not psutil.wait_procs(started, timeout=20)[1]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"^RAY_ADDRESS is 127\.0\.0\.1:1, but no Ray cluster answers there \(.*; compute\.engine"),
        ("ray://node1:10001", r"^RAY_ADDRESS is ray://node1:10001; needed HOST:PORT, as "),
        ("node1", r"^RAY_ADDRESS is node1; needed HOST:PORT"),
    ],
)  # fmt: skip
def test_an_address_without_a_cluster_is_one_line(address: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, address)
    with pytest.raises(StageformerError, match=message):
        Ray(1)


def test_the_local_engine_is_processes() -> None:
    with worker_pool("local", 3) as pool:
        assert isinstance(pool, WorkerProcesses)
        assert pool.workers == 3
