"""A damaged or emptied cache of DVC, in real repositories of DVC: `stageformer heal` brings the right results back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.experiments.cache import Entries, heal, md5_of

pytest.importorskip("dvc")

RIGHT = {"data/one.txt": "one", "data/many/a.txt": "a", "data/many/b.txt": "b", "data/many/b/c.txt": "c"}
COMMAND = "mkdir -p data/many/b && printf a > data/many/a.txt && printf b > data/many/b.txt"
COMMAND += " && printf c > data/many/b/c.txt && printf one > data/one.txt"


def dvc(root: Path, *arguments: str) -> str:
    run = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cache") / "root"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "params.yaml").touch()
    (root / "dvc.yaml").write_text(f"stages:\n  make:\n    cmd: {COMMAND}\n    outs: [data/one.txt, data/many]\n")
    dvc(root, "repro")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root", symlinks=True))


def content(root: Path) -> dict[str, str]:
    return {path: (root / path).read_text() for path in RIGHT if (root / path).exists()}


def entries(root: Path) -> Entries:
    return Entries(root / ".dvc/cache/files/md5")


def entry(root: Path, path: str) -> Path:
    return entries(root).path(md5_of(root / path))


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_text("bad")
    path.chmod(0o444)  # what can be written to is checked by DVC


def run(root: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, ["heal", "--root", str(root)])
    return result.exit_code, result.output.splitlines()


def test_a_whole_cache(root: Path) -> None:
    size = sum(path.stat().st_size for path in (root / ".dvc/cache/files").rglob("*") if path.is_file())
    code, lines = run(root)
    assert (code, len(lines)) == (0, 1)
    assert lines[0].endswith(f"md5: 5 entries ({size / 2**20:,.1f} MiB), 0 damaged, 0 missing")
    assert content(root) == RIGHT


def test_the_new_result_is_lost_without_and_right_after_healing(root: Path) -> None:
    cached = entry(root, "data/one.txt")
    damage(cached)
    os.replace(shutil.copy(cached, root / "copy"), root / "data/one.txt")
    dvc(root, "repro", "--force")
    assert (root / "data/one.txt").read_text() == "bad", "DVC checks its cache now: heal is needed no more"
    code, lines = run(root)
    assert code == 1
    assert lines[1:] == ["  damaged: data/one.txt: to be made again", "run `dvc repro make`"]
    assert not cached.exists()
    dvc(root, "repro")
    assert content(root) == RIGHT
    assert cached.read_text() == "one"


def test_a_damaged_part_of_a_folder_and_an_entry_that_nothing_needs(root: Path) -> None:
    parts = [entry(root, "data/many/b.txt"), entries(root).path("ab" + "0" * 30)]
    parts[1].parent.mkdir(exist_ok=True)
    for path in parts:
        path.touch()
        damage(path)
    assert (root / "data/many/b.txt").read_text() == "b"
    code, lines = run(root)
    assert code == 0
    assert sorted(lines[1:]) == [
        f"  damaged: ab{'0' * 30}, which no current output needs: removed",
        "  damaged: data/many/b.txt: taken from the workspace",
    ]
    assert parts[0].read_text() == "b"
    assert not parts[1].exists()


def test_what_a_remote_has_is_fetched(root: Path) -> None:
    dvc(root, "remote", "add", "--default", "elsewhere", str(root.parent / "remote"))
    dvc(root, "push")
    for path in ("data/one.txt", "data/many/b/c.txt"):
        damage(entry(root, path))
        os.replace(shutil.copy(entry(root, path), root / "copy"), root / path)
    code, lines = run(root)
    assert code == 0, lines
    assert sorted(lines[1:]) == [
        "  damaged: data/many/b/c.txt: fetched from the remote", "  damaged: data/one.txt: fetched from the remote",
    ]  # fmt: skip
    assert content(root) == RIGHT


def test_deleted_entries_are_taken_from_the_outputs(root: Path) -> None:
    shutil.rmtree(root / ".dvc/cache")
    code, lines = run(root)
    assert code == 0
    assert len(lines) == 1 + 5
    assert all(line.endswith(": taken from the workspace") for line in lines[1:])
    assert "  missing: data/many: taken from the workspace" in lines
    shutil.rmtree(root / "data")
    dvc(root, "checkout")
    assert content(root) == RIGHT


def test_an_output_changed_by_hand_is_left_alone(root: Path) -> None:
    (root / "data/one.txt").unlink()
    (root / "data/one.txt").write_text("mine")
    code, lines = run(root)
    assert code == 0
    assert lines[1:] == [
        "  changed: data/one.txt: not as dvc.lock says; `dvc checkout --force data/one.txt` brings that back"
    ]
    assert (root / "data/one.txt").read_text() == "mine"


def test_after_gc_of_everything_but_the_workspace(root: Path) -> None:
    old = entries(root).path("cd" + "1" * 30)
    old.parent.mkdir(exist_ok=True)
    old.touch()
    dvc(root, "gc", "--workspace", "--force")
    assert not old.exists()
    assert (heal(root).repairs, heal(root).num_entries) == ([], 5)
    assert content(root) == RIGHT
