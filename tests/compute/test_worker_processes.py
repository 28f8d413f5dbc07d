"""Worker processes give the results of a plain ``map``, and end with the process that they work for."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from stageformer.compute.pool import WorkerProcesses
from stageformer.errors import StageformerError

ROOT = Path(__file__).parents[2]


def slow_at_first(number: int) -> tuple[int, int]:
    time.sleep(0.02 / (number + 1))
    return number * number, os.getpid()


def fail_at(number: int, bad: int) -> int:
    if number == bad:
        raise StageformerError(f"file:{number}: bad")
    return number


def die_at(number: int, bad: int) -> int:
    if number == bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def decode(text: bytes) -> str:
    return text.decode()


class Heavy:
    """Says in which processes it was unpickled, and how often."""

    times = 0

    def __init__(self) -> None:
        self.text = "x" * 1_000_000

    def __setstate__(self, state: dict[str, str]) -> None:
        vars(self).update(state)
        Heavy.times += 1

    def __call__(self, number: int) -> tuple[int, int]:
        return number + len(self.text), Heavy.times


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerProcesses]:
    with WorkerProcesses(2, patience=0) as pool:
        yield pool


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_parts_from_other_processes(workers: int) -> None:
    with WorkerProcesses(workers, patience=0) as pool:
        results = list(pool.map(slow_at_first, range(40)))
    assert [square for square, _ in results] == [number * number for number in range(40)]
    processes = {process for _, process in results}
    assert processes == {os.getpid()} if workers == 1 else os.getpid() not in processes and len(processes) > 1
    assert not multiprocessing.active_children()


def test_a_short_work_starts_no_worker() -> None:
    with WorkerProcesses(4) as pool:
        assert list(pool.map(str, range(1000))) == list(map(str, range(1000)))
        assert list(pool.map(str, [])) == []
        assert not multiprocessing.active_children()


def test_workers_start_once_there_has_been_enough_work() -> None:
    with WorkerProcesses(2, patience=0.1) as pool:
        processes = [process for _, process in pool.map(partial(_computing, 0.03), range(12))]
    alone = processes.count(os.getpid())
    assert 2 <= alone <= 4
    assert processes[:alone] == [os.getpid()] * alone


def _computing(seconds: float, number: int) -> tuple[int, int]:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return number, os.getpid()


def _sleeping(seconds: float, number: int) -> tuple[int, int]:
    time.sleep(seconds)
    return number, os.getpid()


def test_parts_are_read_only_as_they_are_needed(pool: WorkerProcesses) -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    for number, _ in enumerate(pool.map(str, parts())):
        assert len(read) <= number + 1 + pool.workers


def test_what_the_function_holds_is_sent_once(pool: WorkerProcesses) -> None:
    results = list(pool.map(Heavy(), range(50)))
    assert [number for number, _ in results] == list(range(1_000_000, 1_000_050))
    assert {times for _, times in results} == {1}


def test_a_mistake_comes_in_its_place_and_the_pool_goes_on(pool: WorkerProcesses) -> None:
    results: list[int] = []
    with pytest.raises(StageformerError, match=r"^file:5: bad$"):
        results.extend(pool.map(partial(fail_at, bad=5), range(1000)))
    assert results == list(range(5))
    with pytest.raises(UnicodeDecodeError):
        list(pool.map(decode, [b"good", b"\xff"]))
    assert list(pool.map(str, [1])) == ["1"]


@pytest.mark.parametrize("workers", [1, 2])
def test_of_several_mistakes_the_first_is_reported(workers: int) -> None:
    def parts() -> Iterator[int]:
        yield from range(3)
        raise StageformerError("the file is cut off after 3")

    with WorkerProcesses(workers, patience=0) as pool:
        for bad, message in ((2, "file:2: bad"), (9, "the file is cut off after 3")):
            with pytest.raises(StageformerError, match=f"^{message}$"):
                list(pool.map(partial(fail_at, bad=bad), parts()))


def test_a_worker_that_dies_is_a_mistake_in_one_line() -> None:
    before = multiprocessing.active_children()
    with WorkerProcesses(2, patience=0) as pool:
        with pytest.raises(StageformerError, match=r"^a worker process died, most likely .*compute\.threads.*$"):
            list(pool.map(partial(die_at, bad=3), range(1000)))
    assert set(multiprocessing.active_children()) <= set(before)


PARENT = """
import sys, time
from stageformer.compute.pool import WorkerProcesses
from tests.compute.test_worker_processes import _sleeping
from functools import partial
if __name__ == "__main__":
    with WorkerProcesses(2, patience=0) as pool:
        for number, process in pool.map(partial(_sleeping, 0.2), range(10_000)):
            print(process, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    # A shell lets its background jobs ignore SIGINT; and Ctrl-C reaches every process of a terminal.
    restored = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=restored,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        assert parent.stderr is not None
        workers = {int(parent.stdout.readline()) for _ in range(8)}
        assert parent.pid not in workers
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)
        else:
            parent.kill()
        parent.stdout.read()
        spoken = parent.stderr.read()
    deadline = time.monotonic() + 20
    while any(map(psutil.pid_exists, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, workers))
    # Only the parent speaks, of itself alone.
    assert spoken.count("Traceback") == (number == signal.SIGINT)
