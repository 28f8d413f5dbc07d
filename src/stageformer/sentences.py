"""Plain text, one sentence a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stageformer.artifacts import atomic_file
from stageformer.errors import StageformerError


def read_sentences(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file. Raises StageformerError when it is missing or a line is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StageformerError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [decode_line(line, str(path), number) for number, line in enumerate(lines, start=1)]


def decode_line(line: bytes, origin: str, number: int) -> str:
    """Return the text of a line. Raises StageformerError, which names the line and the byte, when it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
        raise StageformerError(f"{origin}, line {number}: {byte} is not UTF-8; convert the text") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a UTF-8 file of these lines; nothing is written when making them fails."""
    with atomic_file(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)
