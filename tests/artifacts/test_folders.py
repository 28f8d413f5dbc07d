"""Whole folders appear by rename, as files do: the old one stays until the new one is whole, and goes as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stageformer.artifacts.files import atomic_folder, write_lines
from stageformer.errors import StageformerError

HOLDS = ("*.txt", "deep")


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "old.txt").write_text("old")
    (folder / "a.txt").write_text("old")
    return folder


def test_nothing_of_the_older_folder_is_left(older: Path) -> None:
    with atomic_folder(older, HOLDS) as new:
        write_lines(new / "b.txt", ["new"])
        assert content(older) == {"a.txt": "old", "deep/old.txt": "old"}
    assert content(older) == {"b.txt": "new\n"}
    assert list(older.parent.iterdir()) == [older]


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a" / "b", HOLDS) as new:
        write_lines(new / "c.txt", ["x"])
    assert content(tmp_path) == {"a/b/c.txt": "x\n"}


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), StageformerError("{new}/b.txt: bad")])
def test_the_older_folder_is_as_it_was_after_any_error(older: Path, error: BaseException) -> None:
    before = content(older)

    def write() -> None:
        with atomic_folder(older, HOLDS) as new:
            write_lines(new / "b.txt", ["half"])
            raise StageformerError(f"{new}/b.txt: bad") if isinstance(error, StageformerError) else error

    with pytest.raises(type(error)) as caught:
        write()
    if isinstance(error, StageformerError):  # the temporary name is nothing to the user
        assert str(caught.value) == f"{older}/b.txt: bad"
    assert content(older) == before
    assert list(older.parent.iterdir()) == [older]


@pytest.mark.parametrize("name", ["thesis.doc", "A.TXT", ".git", "src"])
def test_a_folder_with_anything_else_in_it_is_not_replaced(older: Path, name: str) -> None:
    (older / name).mkdir()
    before = sorted(older.rglob("*"))
    with pytest.raises(StageformerError) as caught, atomic_folder(older, HOLDS):
        pytest.fail("the work began")
    assert str(caught.value) == (
        f"{older}: holds {name}, which does not belong into this folder; nothing is overwritten: remove it, or name "
        "another folder"
    )
    assert sorted(older.rglob("*")) == before


def test_a_link_to_a_folder_is_followed(older: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(older)
    with atomic_folder(tmp_path / "link", HOLDS) as new:
        write_lines(new / "b.txt", ["new"])
    assert (tmp_path / "link").is_symlink()
    assert content(older) == {"b.txt": "new\n"}


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("kept")
    with pytest.raises(StageformerError, match=r"x: cannot be written: a part of its path is not a folder"):
        with atomic_folder(tmp_path / "x", HOLDS):
            pytest.fail("the work began")
    assert (tmp_path / "x").read_text() == "kept"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("by", ["our own writer", "another library", "a library that passes on the words alone"])
def test_a_full_disk_leaves_no_half_of_a_folder(small_disk: Path, by: str) -> None:
    folder = small_disk / "export"
    with atomic_folder(folder, HOLDS) as new:
        write_lines(new / "a.txt", ["old"])

    def fill(new: Path) -> None:
        write_lines(new / "a.txt", ["new"])
        if by == "our own writer":
            write_lines(new / "b.txt", ["x" * 200_000])
        try:
            (new / "b.txt").write_text("x" * 200_000)
        except OSError as error:
            if by == "another library":
                raise
            raise RuntimeError(f"I/O error: {error.strerror} (os error 28)") from None

    with pytest.raises(StageformerError) as caught, atomic_folder(folder, HOLDS) as new:
        fill(new)
    what = "the disk is full (0 MiB free); the {} was not replaced; make room and run again"
    assert str(caught.value) == (
        f"{folder}/b.txt: {what.format('file')}" if by == "our own writer" else f"{folder}: {what.format('folder')}"
    )
    assert content(small_disk) == {"export/a.txt": "old\n"}
    assert list(small_disk.iterdir()) == [folder]


def test_what_a_killed_process_left_is_removed_by_the_next(older: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from stageformer.artifacts.files import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1]), ('*.txt', 'deep')) as new:\n"
        "    (new / 'half.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, older], check=False, cwd=Path(__file__).parents[2])
    assert len(os.listdir(older.parent)) == 2
    assert content(older) == {"a.txt": "old", "deep/old.txt": "old"}
    with atomic_folder(older, HOLDS) as new:
        write_lines(new / "b.txt", ["new"])
    assert list(older.parent.iterdir()) == [older]
