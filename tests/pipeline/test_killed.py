"""A `dvc repro` that is killed again and again ends with the same bits as one that never was."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.repositories import Repository

KILLS = 10
INSIDE_A_WRITE = (1, 4, 7)
"""Numbers of the kills that come when a checkpoint is half written."""
DIES_IN_A_WRITE = """
import os, signal

whole = os.replace

def replace(source, target):
    if os.path.basename(target).startswith("update-"):
        os.truncate(source, os.path.getsize(source) // 2)
        os.killpg(os.getpgrp(), signal.SIGKILL)
    whole(source, target)

os.replace = replace
"""
"""Python runs this at its start, as sitecustomize.py: the first checkpoint ends half written, and all processes die."""


def start(
    repository: Repository, scratch: Path, *command: str, at_start: Path | None = None
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, so that all of it can be killed at once.

    ``at_start`` is a folder with a sitecustomize.py.
    """
    variables = {
        "STAGEFORMER_SCRATCH": str(scratch),
        "DVC_SITE_CACHE_DIR": str(scratch.parent / "site cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(
            [*([str(at_start)] if at_start else []), str(repository.root / "src"), str(repository.root)]
        ),
    }
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=repository.root, env=os.environ | variables, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[str]) -> None:
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def stamps(scratch: Path) -> dict[Path, int]:
    found = {}
    for path in scratch.rglob("*.pt"):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:  # replaced just now
            continue
    return found


def wait_for_checkpoint(process: subprocess.Popen[str], scratch: Path) -> None:
    before = stamps(scratch)
    while stamps(scratch) in (before, {}) and process.poll() is None:
        time.sleep(0.005)


def test_ten_kills_change_no_bit(finished: Repository, tmp_path: Path) -> None:
    # Long enough that ten kills fall into the two trainings.
    long = {f"{stage}__training__{key}": value for stage in ("train_encoder", "train_decoder")
            for key, value in {"max_updates": 300, "validate_every": 100, "warmup_updates": 10}.items()}  # fmt: skip
    expected, killed = finished.copy(tmp_path / "expected"), finished.copy(tmp_path / "killed")
    for repository in (expected, killed):
        repository.set(**long)
    expected.repro(STAGEFORMER_SCRATCH=str(tmp_path / "scratch of the uninterrupted"))
    generator, scratch = random.Random(0), tmp_path / "scratch"
    scratch.mkdir()
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(DIES_IN_A_WRITE)
    for number in range(KILLS):
        if number in INSIDE_A_WRITE:
            process = start(killed, scratch, "dvc", "repro", at_start=hook)
            printed, _ = process.communicate(timeout=300)
            assert process.returncode == -signal.SIGKILL, printed
            assert [path for path in scratch.rglob("*.partial") if "update-" in path.name], "half a checkpoint is left"
        else:
            process = start(killed, scratch, "dvc", "repro")
            wait_for_checkpoint(process, scratch)
            time.sleep(generator.random() * 2)
            kill(process)
    process = start(killed, scratch, "dvc", "repro")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert killed.hashes() == expected.hashes()
    assert not list(scratch.rglob("*.pt"))  # success removes them


def test_a_temporary_experiment_resumes_where_the_killed_one_was(repository: Repository, tmp_path: Path) -> None:
    """Its working tree is gone with it: the scratch folder is not."""
    scratch = tmp_path / "scratch"
    repository.set(train_decoder__training__max_updates=400, train_decoder__training__validate_every=200)
    process = start(repository, scratch, "dvc", "exp", "run", "--temp")
    wait_for_checkpoint(process, scratch)
    kill(process)
    assert list(scratch.rglob("update-*.pt"))
    process = start(repository, scratch, "dvc", "exp", "run", "--temp")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "train_decoder: resuming after update" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_stage_fails_it_and_keeps_a_checkpoint(
    repository: Repository, tmp_path: Path, number: signal.Signals
) -> None:
    scratch = tmp_path / "scratch"
    repository.set(train_encoder__training__max_updates=5000)
    process = start(repository, scratch, "stages.train_encoder")
    wait_for_checkpoint(process, scratch)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in printed
    assert list(scratch.rglob("update-*.pt"))
    assert not list((repository.root / "data/train_encoder").glob("*.partial"))
