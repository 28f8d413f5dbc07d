"""Files and folders that are whole or not there: atomic writing, JSON and plain lines among it.

What is written gets a temporary name beside its place, is flushed to the disk and renamed, so that nobody ever sees a
half-written file or folder. The same content gives the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from stageformer.errors import StageformerError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing under a temporary name, and rename it when the block ends without an error.

    The temporary name is this process's own, ``.NAME.HOST-PID.partial``: others may write the same file at the same
    time, and the last one to end wins. What a killed process left is removed by the next one that writes the file.

    A link is followed, and its target replaced. Only a regular file is replaced: a device, a pipe or a descriptor
    such as ``/dev/stdout`` gets the content when the block ends.

    Raises:
        StageformerError: the operating system refuses: no permission, a read-only disk, a folder in the place of the
            file, a name too long, a full disk (with how much is free). What was at ``path`` is untouched.
    """
    try:
        place = _place(path)
        if place is not None:
            partial = _partial(place)
            file = _open_beside(place, partial)
    except OSError as error:
        raise _cannot_write(path, error) from None
    if place is None:
        with _written_through(path) as through:
            yield through
        return
    written = False
    try:
        with file:
            yield file
            written = True
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, place)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        # An error within the block may come from reading something else, unless the disk is full.
        if (cause := error if written and isinstance(error, OSError) else _disk_full(error)) is not None:
            raise _cannot_write(path, cause) from None
        raise


def check_writable(path: Path, *, is_folder: bool = False) -> None:
    """Check, before the work, that a file can be written: one is made beside it, or in the folder, and removed.

    Args:
        path: of the file, or of the folder that files are to be written into.
        is_folder: which of the two.

    Raises:
        StageformerError: as :func:`atomic_file`, but for a full disk.
    """
    try:
        if (place := _place(path / "x" if is_folder else path)) is None:
            if not os.access(path, os.W_OK):  # opening it would tell whoever reads the pipe that all is over
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        folder = place.parent
        while not folder.exists():
            folder = folder.parent
        trial = folder / _partial(place).name
        trial.open("wb").close()
        trial.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from None


def _place(path: Path) -> Path | None:
    """Return the file that ``path`` leads to; None: it is none that could be replaced, and is written through.

    A link into the cache of DVC is not followed: what is there is shared, and named after its content.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode) or _descriptor(path) is not None:
        return None
    target = Path(os.path.realpath(path))
    return path if _IN_CACHE.search(target.as_posix()) else target


_IN_CACHE = re.compile("/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


def _descriptor(path: Path) -> Path | None:
    """Return ``/proc/PID/fd/NUMBER`` if ``path`` leads to an open file of a process, such as ``/dev/stdout``."""
    for _ in range(40):  # as many links as the system follows
        folder = os.path.realpath(path.parent)
        path = Path(folder, path.name)
        if re.fullmatch("/proc/.+/fd", folder):
            return path
        if not path.is_symlink():
            return None
        path = Path(folder, path.readlink())
    return None


@contextlib.contextmanager
def _written_through(path: Path) -> Iterator[IO[bytes]]:
    """Collect what is written, since some writers go back in the file, and pass it on when all is there."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        yield file
        file.seek(0)
        try:
            found = _descriptor(path)
            own = found is not None and found.parent == Path(f"/proc/{os.getpid()}/fd")
            # Opened anew, a file would be written from its start, over what this process prints.
            with os.fdopen(os.dup(int(found.name)), "wb") if found and own else path.open("ab") as through:
                shutil.copyfileobj(file, through)
        except OSError as error:
            raise StageformerError(f"{path}: cannot be written: {reason_of(error)}") from None


_IN_MEMORY = 2**26


def _partial(place: Path, mark: str = "") -> Path:
    return place.with_name(f".{place.name}.{_HOST}-{mark}{os.getpid()}.partial")


def _open_beside(place: Path, partial: Path) -> IO[bytes]:
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(place.parent, place.name)
    try:
        return partial.open("wb")
    except FileNotFoundError:  # another process has removed the empty folder just now
        place.parent.mkdir(parents=True, exist_ok=True)
        return partial.open("wb")


@contextlib.contextmanager
def atomic_folder(path: Path, holds: Collection[str]) -> Iterator[Path]:
    """Make a folder under a temporary name, and let it replace ``path`` when the block ends without an error.

    Nothing of the old folder is left then; until then, it is as it was. A link to a folder is followed.

    Args:
        path: of the folder.
        holds: patterns of the names in such a folder. One with any other name in it is not replaced, so that a
            mistyped path loses nothing.

    Yields:
        The new folder, to be filled.

    Raises:
        StageformerError: the operating system refuses, as in :func:`atomic_file`, or the folder holds something else.
    """
    place = Path(os.path.realpath(path))
    new, old = _partial(place), _partial(place, "old-")
    try:
        _check_replaceable(path, place, holds)
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(place.parent, place.name)
        for left in (new, old):  # of a process with the same number
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir()
    except OSError as error:
        raise _cannot_write(path, error, "folder") from None
    written = False
    try:
        yield new
        written = True
        _flush(new)
        replaces = place.exists()
        if replaces:
            place.rename(old)
        try:
            new.rename(place)
        except OSError:
            if replaces:
                old.rename(place)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except StageformerError as error:
        raise StageformerError(str(error).replace(str(new), str(path))) from None
    except BaseException as error:
        if (cause := error if written and isinstance(error, OSError) else _disk_full(error)) is not None:
            raise _cannot_write(path, cause, "folder") from None
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_new_folder(path: Path) -> None:
    """Raise StageformerError if anything but an empty folder is at ``path``."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise StageformerError(f"{path}: exists already; nothing is overwritten: remove it, or name another folder")


def _check_replaceable(path: Path, place: Path, holds: Collection[str]) -> None:
    if not place.exists():
        return
    for name in sorted(os.listdir(place)):
        known = any(fnmatch.fnmatchcase(name, pattern) for pattern in (*holds, *_OF_THE_SYSTEM, ".*.partial"))
        if not known:
            raise StageformerError(
                f"{path}: holds {name}, which does not belong into this folder; nothing is overwritten: remove it, or "
                "name another folder"
            )


_OF_THE_SYSTEM = (".DS_Store", ".gitignore")


def _flush(folder: Path) -> None:
    """Flush every file of a folder to the disk, since other libraries do not."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


_HOST = os.uname().nodename
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _disk_full(error: BaseException) -> OSError | None:
    """Return the error that says that there is no space left: ``error``, or one that it was raised in answer to.

    torch and pyarrow write through Python files, and raise errors of their own once a write has failed.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return seen
        if os.strerror(errno.ENOSPC) in str(seen):  # libraries in Rust and C++ pass on the words alone
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        seen = seen.__cause__ or seen.__context__
    return None


def _cannot_write(path: Path, error: OSError, what: str = "file") -> StageformerError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free / 2**20
        reason = f"the disk is full ({free:.0f} MiB free); the {what} was not replaced; make room and run again"
    elif error.errno == errno.EFBIG:
        reason = f"it would be larger than this system allows a file to be (ulimit -f); the {what} was not replaced"
    elif error.errno in (errno.EEXIST, errno.ENOTDIR):
        reason = "cannot be written: a part of its path is not a folder"
    else:
        reason = f"cannot be written: {reason_of(error)}"
    return StageformerError(f"{path}: {reason}")


def remove_left_over(folder: Path, name: str | None = None) -> None:
    """Remove what is left in ``folder`` of half-written files and folders, or of the one ``name``.

    Only of processes of this machine that are gone: another one may be writing at this moment.
    """
    for left in folder.glob(f".{'*' if name is None else glob.escape(name)}.{glob.escape(_HOST)}-*.partial"):
        pid = left.name.removesuffix(".partial").rpartition("-")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        except (ValueError, OverflowError, PermissionError):  # no pid, or the process of another user
            continue


def reason_of(error: OSError) -> str:
    """Return what the operating system says, in lower case: ``permission denied``."""
    return (error.strerror or first_line(error)).lower()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys and a final newline. Raises StageformerError when it cannot be written."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write(text.encode() + b"\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a UTF-8 file of these lines; nothing is written when making them fails."""
    with atomic_file(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
