"""What a command is told to write to: only regular files are replaced, and what cannot be written is seen first.

Devices, pipes and links are made in a temporary folder; the machine's own are left alone.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.artifacts.files import atomic_file, check_writable, write_json, write_lines
from stageformer.artifacts.tables import read_table, write_table
from stageformer.cli import main
from stageformer.errors import StageformerError

NULL, FULL = os.makedev(1, 3), os.makedev(1, 7)


def device(folder: Path, number: int) -> Path:
    path = folder / "device"
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, number)
        path.open("rb").close()
    except PermissionError:
        pytest.skip("making a device is not permitted here")
    return path


def test_a_device_is_written_through(tmp_path: Path) -> None:
    path = device(tmp_path, NULL)
    check_writable(path)
    write_lines(path, ["lost"])
    assert stat.S_ISCHR(path.stat().st_mode)
    assert os.listdir(tmp_path) == ["device"]


def test_a_device_that_is_full(tmp_path: Path) -> None:
    path = device(tmp_path, FULL)
    with pytest.raises(StageformerError) as caught:
        write_lines(path, ["lost"])
    # It says nothing of a disk, nor of a file that was not replaced: there is neither.
    assert str(caught.value) == f"{path}: cannot be written: no space left on device"


@pytest.mark.parametrize("kind", ["lines", "table"])  # a Parquet writer goes back in its file, a pipe cannot
def test_a_pipe_is_written_through(tmp_path: Path, kind: str) -> None:
    path, got = tmp_path / "pipe", tmp_path / "got"
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.write_bytes(path.read_bytes()), daemon=True)
    reader.start()
    check_writable(path)
    if kind == "lines":
        write_lines(path, ["a", "b"])
    else:
        write_table(path, "vocabulary", [{"token": ["x"], "id": [0], "count": [7]}])
    reader.join(5)
    assert stat.S_ISFIFO(path.stat().st_mode)
    if kind == "lines":
        assert got.read_text() == "a\nb\n"
    else:
        assert read_table(got, "vocabulary").to_pylist() == [{"token": "x", "id": 0, "count": 7}]


def test_a_pipe_gets_nothing_of_what_fails(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def fail() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise KeyError

    try:
        with pytest.raises(KeyError):
            fail()
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "deep" / "target.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    (tmp_path / "other").symlink_to("deep/target.txt")
    link.symlink_to(tmp_path / "other")
    write_lines(link, ["new"])
    assert link.readlink() == tmp_path / "other"
    assert target.read_text() == "new\n"
    assert not target.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["deep", "link.txt", "other"]
    assert os.listdir(target.parent) == ["target.txt"]


def test_a_link_into_the_cache_of_dvc_is_replaced(tmp_path: Path) -> None:
    """With `cache.type symlink`, a stage run by hand would write into the cache, under the hash of another file."""
    cached = tmp_path / "cache" / "files" / "md5" / "0a" / ("b" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_text("old")
    (tmp_path / "model.pt").symlink_to(cached)
    write_lines(tmp_path / "model.pt", ["new"])
    assert cached.read_text() == "old"
    assert not (tmp_path / "model.pt").is_symlink()
    assert (tmp_path / "model.pt").read_text() == "new\n"


def test_standard_output_that_is_a_file_goes_on(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stageformer.artifacts.files import write_lines\n"
        "print('before', flush=True); write_lines(Path(sys.argv[1]), ['between']); print('after')\n"
    )
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    for path in ("/proc/self/fd/1", str(tmp_path / "link")):
        with (tmp_path / "out.txt").open("w") as file:
            subprocess.run([sys.executable, "-c", code, path], stdout=file, check=True, env=_with_this_library())
        assert (tmp_path / "out.txt").read_text() == "before\nbetween\nafter\n"


def _with_this_library() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def folder(root: Path) -> str:
    (root / "folder").mkdir()
    return "folder"


def below_a_file(root: Path) -> str:
    (root / "file").write_text("kept")
    return "file/x"


def loop(root: Path) -> str:
    (root / "loop").symlink_to("loop")
    return "loop"


PLACES: list[Callable[[Path], str]] = [
    folder, below_a_file, loop, lambda _: "", lambda _: ".", lambda _: "/proc/none/x", lambda _: "x" * 256,
    lambda _: "x" * 5000,
]  # fmt: skip
COMMANDS = {
    "translate": lambda path: ["translate", "--input", "in.txt", "--output", path],
    "report": lambda path: ["report", "--output", path],
}
FOLDERS = {
    "memory": lambda path: ["memory", "export", "data/encode/test", path],
    "export": lambda path: ["export", path],
    "explain": lambda path: ["explain", "a", "--output", f"{path}/x.png"],
    "stage": lambda path: ["--output", path],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_written_is_seen_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: Callable[[Path], str]
) -> None:
    """There is nothing to work on: whoever begins complains of that."""
    monkeypatch.chdir(tmp_path)
    path = place(tmp_path)
    _refused(tmp_path, COMMANDS[name](path), main)


@pytest.mark.parametrize("place", PLACES[1:3] + PLACES[5:])
@pytest.mark.parametrize("name", FOLDERS)
def test_folders_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: Callable[[Path], str]
) -> None:
    from stages.ingest import main as stage

    monkeypatch.chdir(tmp_path)
    path = place(tmp_path)
    if name == "stage":
        source = Path(__file__).parents[2] / "params.yaml"
        (tmp_path / "params.yaml").write_bytes(source.read_bytes())
    _refused(tmp_path, FOLDERS[name](path), stage if name == "stage" else main)


def _refused(root: Path, arguments: list[str], command: object) -> None:
    before = sorted(root.rglob("*"))
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert "cannot be written: " in lines[0] or "is a folder; name a file" in lines[0], lines
    assert sorted(root.rglob("*")) == before


def test_the_check_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "c.txt")
    check_writable(tmp_path / "a", is_folder=True)
    (tmp_path / "x.json").write_text("old")
    check_writable(tmp_path / "x.json")
    assert os.listdir(tmp_path) == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "old"
    write_json(tmp_path / "x.json", {})


def test_the_check_does_not_open_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # which nobody reads: it would wait for ever
    check_writable(tmp_path / "pipe")
