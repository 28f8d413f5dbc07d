"""Atomic files: what the operating system refuses is one line, and processes that write at once do not meet."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stageformer.artifacts.files import atomic_file, write_json, write_lines
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError


def folder_in_its_place(folder: Path) -> Path:
    (folder / "x.json").mkdir()
    return folder / "x.json"


def file_for_a_folder(folder: Path) -> Path:
    (folder / "file").write_text("content")
    return folder / "file" / "x.json"


def file_above_its_folder(folder: Path) -> Path:
    return file_for_a_folder(folder) / "x.json"


def name_too_long(folder: Path) -> Path:
    return folder / ("x" * 250)


def loop_of_links(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop" / "x.json"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (folder_in_its_place, "cannot be written: is a directory"),
        (lambda _: Path(), "cannot be written: is a directory"),
        (lambda _: Path("/proc/none/x.json"), "cannot be written: no such file or directory"),
        (file_for_a_folder, "cannot be written: a part of its path is not a folder"),
        (file_above_its_folder, "cannot be written: a part of its path is not a folder"),
        (name_too_long, "cannot be written: file name too long"),
        (loop_of_links, "cannot be written: too many levels of symbolic links"),
    ],
)
def test_places_where_nothing_can_be_written(tmp_path: Path, make: Callable[[Path], Path], reason: str) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StageformerError) as caught:
        write_json(path, {"a": 1})
    assert str(caught.value) == f"{path}: {reason}"
    assert sorted(tmp_path.rglob("*")) == before


def test_no_permission(tmp_path: Path) -> None:
    """As another user than root, who may do everything."""
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(StageformerError, match=r"x\.json: cannot be written: permission denied"):
            write_json(tmp_path / "x.json", {})
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_read_only_disk(read_only_disk: Path) -> None:
    with pytest.raises(StageformerError, match=r"x\.json: cannot be written: read-only file system"):
        write_json(read_only_disk / "x.json", {})


def test_limit_of_file_size(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_lines(path, ["old"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StageformerError, match=r"x\.txt: it would be larger than this system allows a file to be"):
            write_lines(path, ["line"] * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_within_the_block_that_are_not_of_writing_pass_through(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="the input"), atomic_file(tmp_path / "x"):
        raise PermissionError(13, "the input")
    assert not list(tmp_path.iterdir())


def test_two_processes_that_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    code = (
        "import sys; from pathlib import Path\n"
        "from stageformer.artifacts.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'first '); file.flush(); print('half', flush=True)\n"
        "    sys.stdin.readline(); file.write(b'slow')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    ) as slow:  # fmt: skip
        assert slow.stdin is not None
        assert slow.stdout is not None
        assert slow.stdout.readline() == "half\n"
        write_lines(path, ["quick"])
        assert path.read_text() == "quick\n"
        slow.stdin.write("go on\n")
        slow.stdin.flush()
        assert slow.wait(20) == 0
    assert path.read_text() == "first slow"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x[1].txt"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from stageformer.artifacts.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as file:\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False, cwd=Path(__file__).parents[2])
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    others = [
        tmp_path / left.name.replace(os.uname().nodename, "another-machine"),
        tmp_path / f".x[1].txt.{os.uname().nodename}-1.partial",  # process 1 is always there
        tmp_path / f".y.txt.{os.uname().nodename}-{2**22 + 1}.partial",  # of another file
    ]
    for other in others:
        other.touch()
    write_lines(path, ["whole"])
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff", b'{"a": 1'])
def test_json_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StageformerError, match=r"x\.json: not readable as JSON \(.*\); run the stage"):
        read_json(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StageformerError, match=r"x\.json: cannot be read: is a directory"):
        read_json(path)
