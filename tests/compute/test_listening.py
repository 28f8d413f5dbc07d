"""Processes on one machine talk over loopback alone: nobody from outside can reach them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
SCRIPT = '''
import os, pathlib, sys, time
from types import SimpleNamespace
import torch
from stageformer.compute.processes import joined, launch

compute = SimpleNamespace(processes=2, device="cpu")
launch(compute)

def listening():
    """The local addresses, as the kernel prints them, of the sockets of this process that listen."""
    own = set()
    for fd in pathlib.Path("/proc/self/fd").iterdir():
        try:
            own.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            pass
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in own:
                yield local.partition(":")[0]

with joined(compute, torch.device("cpu")) as processes:
    assert processes.add_numbers(processes.rank + 1) == (3,)
    assert processes.from_first("abc" if processes.is_first else "") == "abc"
    pathlib.Path(f"{sys.argv[1]}.{processes.rank}").write_text(" ".join(sorted(listening())))
    processes.wait()
if len(sys.argv) > 2 and processes.rank == 1:
    os.kill(os.getpid(), 9)
if len(sys.argv) > 2:
    time.sleep(60)
'''
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if name not in ("WORLD_SIZE", "RANK")}
    return subprocess.run(
        [sys.executable, "script.py", "seen", *more], cwd=folder, timeout=60, capture_output=True, text=True,
        env=environment | {"PYTHONPATH": str(SOURCES), "TMPDIR": str(folder / "tmp")},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_only_loopback_listens(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    result = run(tmp_path)
    assert result.returncode == 0, result.stderr
    addresses = [set((tmp_path / f"seen.{rank}").read_text().split()) for rank in range(2)]
    assert all(addresses), "gloo listens somewhere: what was looked at is not what listens"
    assert set.union(*addresses) <= LOOPBACK, addresses
    assert not list((tmp_path / "tmp").iterdir()), "the store is left over"


def test_when_one_is_killed_all_end(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    result = run(tmp_path, "kill")
    assert result.returncode == 128 + 9, result.stderr
    assert not list((tmp_path / "tmp").iterdir())
