"""Several processes, started by `compute.processes` or by torchrun: the training of one, shared out."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from stageformer.memory.store import MemoryStore
from tests.repositories import Repository

TRAINING = {
    "batch_tokens": 400, "max_updates": 50, "warmup_updates": 5, "validate_every": 1, "average_checkpoints": 3,
}  # fmt: skip
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENDS = """
import os, runpy, sys
from stageformer.training.state import Progress

rank, number = sys.argv[1:]
learnt = Progress.learnt

def ends(self, *args):
    learnt(self, *args)
    if os.environ.get("RANK") == rank and self.update == 10:
        os.kill(os.getpid(), int(number))

Progress.learnt = ends
del sys.argv[1:]
runpy.run_module("stages.train_encoder", run_name="__main__", alter_sys=True)  # as python -m does
"""
"""The stage train_encoder, of which one process ends by a signal after update 10, while the other waits for it."""


@pytest.fixture(scope="module")
def trained(finished: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy in which trainings of 50 updates, logged each, are at hand; dropout is on."""
    repository = finished.copy(tmp_path_factory.mktemp("processes") / "copy")
    values = {f"{stage}__training__{key}": value for stage in ("train_encoder", "train_decoder")
              for key, value in TRAINING.items()}  # fmt: skip
    repository.set(**values, compute__micro_batch_tokens=110, encode__shard_tokens=300)
    return repository


def run(repository: Repository, stage: str, launcher: list[str] | None = None, **compute: object) -> Path:
    """Run a stage as a user does, and return a copy of what it wrote."""
    changes = {"processes": 1, "sharded": False} | compute
    repository.set(**{f"compute__{key}": value for key, value in changes.items()})
    python = [sys.executable, *(launcher or []), "-m", f"stages.{stage}"]
    environment = os.environ | {"STAGEFORMER_SCRATCH": str(repository.root / "scratch"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(repository.root / "src"), str(repository.root)])
    done = subprocess.run(
        python, cwd=repository.root, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    kept = repository.root / "kept" / str(len(list(repository.root.glob("kept/*"))))
    shutil.copytree(repository.root / "data" / stage, kept / "data")
    shutil.copytree(repository.root / "reports" / stage, kept / "reports")
    return kept


def curve(kept: Path, name: str) -> list[float]:
    return pd.read_csv(kept / f"reports/plots/metrics/{name}.tsv", sep="\t")[name].tolist()


def is_output(path: Path) -> bool:
    return path.is_file() and path.name != "cost.json"  # which holds seconds


def same_bits(first: Path, second: Path) -> bool:
    files = sorted(path.relative_to(first) for path in first.rglob("*") if is_output(path))
    assert files
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if is_output(path))
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in files)


@pytest.fixture(scope="module")
def one(trained: Repository) -> Path:
    return run(trained, "train_encoder")


@pytest.fixture(scope="module")
def two(trained: Repository) -> Path:
    return run(trained, "train_encoder", processes=2)


def test_two_processes_learn_what_one_does(one: Path, two: Path) -> None:
    for name in ("train_loss", "valid_loss"):
        expected, found = curve(one, name), curve(two, name)
        assert len(expected) == 50
        assert expected[-1] < expected[0] - 0.2
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_same_number_gives_the_same_bits(trained: Repository, two: Path) -> None:
    assert same_bits(two, run(trained, "train_encoder", processes=2))


def test_torchrun_does_what_the_parameter_does(trained: Repository, two: Path) -> None:
    assert same_bits(two / "data", run(trained, "train_encoder", TORCHRUN, processes=1) / "data")


def test_a_model_cut_over_two_processes_learns_the_same_by_adam(trained: Repository) -> None:
    trained.set(train_encoder__training__optimizer="adam")
    whole = run(trained, "train_encoder")
    cut = run(trained, "train_encoder", processes=2, sharded=True)
    trained.set(train_encoder__training__optimizer="muon")
    for name in ("train_loss", "valid_loss"):
        assert curve(cut, name) == pytest.approx(curve(whole, name), rel=1e-4)


def test_a_model_cut_over_two_processes_learns_the_same(trained: Repository, one: Path) -> None:
    cut = run(trained, "train_encoder", processes=2, sharded=True)
    for name in ("train_loss", "valid_loss"):
        assert curve(cut, name) == pytest.approx(curve(one, name), rel=1e-5)
    sizes = [(kept / "data/encoder.pt").stat().st_size for kept in (cut, one)]
    assert sizes[0] == sizes[1]


def test_the_decoder_and_the_memory(trained: Repository) -> None:
    trained.set(encode__dropout_copies=2)
    encoded = run(trained, "encode")
    assert same_bits(encoded / "data", run(trained, "encode", processes=2) / "data")
    folders = [encoded / "data" / name for name in ("train", "train-dropout-01", "train-dropout-02")]
    stores = [MemoryStore(folder).batch([0, 1])[0] for folder in folders]
    assert stores[0].shape == stores[1].shape
    assert not stores[0].equal(stores[1])
    assert not stores[1].equal(stores[2])
    alone, pair = run(trained, "train_decoder"), run(trained, "train_decoder", processes=2)
    assert curve(pair, "train_loss") == pytest.approx(curve(alone, "train_loss"), rel=1e-5)


def test_a_mistake_is_reported_once(trained: Repository) -> None:
    trained.set(train_encoder__training__learning_rate=10.0, train_encoder__training__clip_norm=None)
    with pytest.raises(RuntimeError) as error:
        run(trained, "train_encoder", processes=2)
    trained.set(train_encoder__training__learning_rate=0.003, train_encoder__training__clip_norm=1.0)
    assert str(error.value).count("error: ") == 1
    assert "diverged" in str(error.value)
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    ("launcher", "rank", "number"),
    [([], 1, signal.SIGKILL), ([], 0, signal.SIGSEGV), (TORCHRUN, 1, signal.SIGKILL)],
    ids=["the second", "the first", "torchrun"],
)
def test_a_process_that_is_killed_ends_all_and_the_next_run_goes_on_to_the_same_bits(
    trained: Repository, two: Path, launcher: list[str], rank: int, number: signal.Signals
) -> None:
    trained.set(compute__processes=1 if launcher else 2, compute__sharded=False)
    (trained.root / "ends.py").write_text(ENDS)
    scratch = trained.root / f"killed-{rank}-{len(launcher)}"
    environment = os.environ | {"STAGEFORMER_SCRATCH": str(scratch), "OMP_NUM_THREADS": "1"}
    environment["STAGEFORMER_DEBUG"] = "0"  # what users see
    environment["PYTHONPATH"] = os.pathsep.join([str(trained.root / "src"), str(trained.root)])

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *launcher, *arguments], cwd=trained.root, env=environment, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    ended = python("ends.py", str(rank), str(int(number)))
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    if launcher:  # which says in its own words what came first; this is the process that is left
        assert ended.returncode
        assert all(line.startswith("error: process 1 of 2 lost the others: ") for line in errors), errors
    else:
        assert ended.returncode == 128 + number
        (line,) = errors
        assert line.startswith(f"error: process {rank + 1} of 2 was ended by {number.name}")
        assert "Traceback" not in ended.stderr
        assert "gloo" not in ended.stderr
        # The other one ends by itself and leaves a log, or is ended before it comes to that.
        assert all("gloo" in log.read_text() for log in (scratch / "logs").glob("*.log"))
    again = python("-m", "stages.train_encoder")
    assert again.returncode == 0, again.stderr
    assert "train_encoder: resuming after update" in again.stderr
    assert (trained.root / "data/train_encoder/encoder.pt").read_bytes() == (two / "data/encoder.pt").read_bytes()
