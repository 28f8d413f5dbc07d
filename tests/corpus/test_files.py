from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.corpus.files import expand, read_lines
from stageformer.corpus.sources.base import Rejected, decode
from stageformer.errors import StageformerError


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_only_newline_ends_a_line(tmp_path: Path, pack) -> None:
    path = tmp_path / "text"
    lines = ["one\u2028still one", "two\x85\x0c\u2029two", "three\rthree", "four"]
    path.write_bytes(pack("\r\n".join(lines).encode()))
    assert [line.decode() for line in read_lines(path)] == lines


def test_byte_order_mark_is_removed_at_the_start_alone(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")
    assert list(read_lines(path)) == [b"one", b"\xef\xbb\xbftwo"]


def test_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "train.en").write_text("x\n")
    with pytest.raises(StageformerError, match=r"tarin\.en: no such file \(did you mean 'train\.en'\?\)"):
        list(read_lines(tmp_path / "tarin.en"))


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match="cannot be read"):
        list(read_lines(tmp_path))


def test_cut_off_gzip(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    text = "".join(f"line {number * 7919 % 10007}\n" for number in range(20000)).encode()
    path.write_bytes(gzip.compress(text)[:-5000])
    with pytest.raises(StageformerError, match=r"text\.gz: the gzip file is cut off or damaged after line \d\d+"):
        list(read_lines(path))


def test_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    content = bytearray(gzip.compress(b"hello\n" * 1000))
    content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StageformerError, match="cut off or damaged"):
        list(read_lines(path))


def test_not_utf8_names_line_and_byte() -> None:
    rejected = decode(Path("folder/a.txt"), 7, b"caf\xe9 noir")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "not_utf8"
    assert rejected.where == "a.txt:7"
    assert rejected.message is not None
    assert rejected.message.startswith("folder/a.txt:7:4: byte 0xe9 is not UTF-8;")


def test_utf16_is_recognised() -> None:
    rejected = decode(Path("a.txt"), 1, "hi".encode("utf-16"))
    assert isinstance(rejected, Rejected)
    assert "looks like UTF-16" in str(rejected.message)


def test_blank_line_is_empty() -> None:
    rejected = decode(Path("a.txt"), 3, " \t\u3000".encode())
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, str(rejected.message)[:18]) == ("empty", "a.txt:3: empty lin")


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])))
def test_any_unicode_passes_unchanged(text: str) -> None:
    decoded = decode(Path("a.txt"), 2, text.encode())
    assert decoded == text if text.strip() else isinstance(decoded, Rejected)


def zipped(text: bytes, *names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for name in names or ("folder/a.txt",):
            archive.writestr(name, text)
    return content.getvalue()


def zstd(text: bytes) -> bytes:
    """Two frames, as `zstd` and `cat` make them."""
    half = len(text) // 2
    return b"".join(pa.compress(part, "zstd", asbytes=True) for part in (text[:half], text[half:]))


COMPRESSIONS = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd, "zip": zipped,
}  # fmt: skip


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_compressed_files_have_the_lines_of_the_plain_one_and_cut_ones_are_refused(tmp_path: Path, name: str) -> None:
    lines = [f"Zeile {number * 7919 % 10007}".encode() for number in range(20000)]
    path = tmp_path / "text"  # no suffix: the first bytes decide
    for text in (b"\r\n".join(lines), b"\xef\xbb\xbf" + b"\n".join([*lines, b""])):
        path.write_bytes(COMPRESSIONS[name](text))
        assert list(read_lines(path)) == lines
    path.write_bytes(COMPRESSIONS[name](b""))
    assert list(read_lines(path)) == []
    content = COMPRESSIONS[name](b"\n".join(lines))
    for wrong in (content[:-1000], content[:5000] + bytes(range(256)) + content[5256:]):
        path.write_bytes(wrong)
        message = rf"text: the {name} file is cut off or damaged after line \d+"
        with pytest.raises(StageformerError, match=message) as error:
            list(read_lines(path))
        assert len(str(error.value).splitlines()) == 1


def test_a_zip_of_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(zipped(b"a", "a", "b"))
    with pytest.raises(StageformerError, match="text: the zip holds 2 files; name the one that is meant, unpacked"):
        list(read_lines(tmp_path / "text"))


def test_a_name_refers_to_one_file_or_many(tmp_path: Path) -> None:
    for name in ("b-2.tsv", "b-1.tsv", "a.tsv", ".hidden", "strange[1].tsv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()
    names = ["a.tsv", "b-1.tsv", "b-2.tsv", "strange[1].tsv"]
    assert [path.name for path in expand(str(tmp_path))] == names
    assert [path.name for path in expand(f"{tmp_path}/b-*")] == ["b-1.tsv", "b-2.tsv"]
    assert expand(f"{tmp_path}/strange[1].tsv") == [tmp_path / "strange[1].tsv"]
    assert expand(f"{tmp_path}/none.tsv") == [tmp_path / "none.tsv"]  # the error comes when it is read
    with pytest.raises(StageformerError, match="no file has that pattern"):
        expand(f"{tmp_path}/c-*")
    with pytest.raises(StageformerError, match="the folder holds no files"):
        expand(str(tmp_path / "folder"))
