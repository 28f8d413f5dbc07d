"""Tensor artifacts: same bytes, never code, and one clear line for every way in which a file can be wrong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stageformer.artifacts import tensors as library
from stageformer.artifacts.header import SCHEMA_VERSION
from stageformer.artifacts.tensors import check_finite, is_finite, read_tensors, write_tensors
from stageformer.errors import StageformerError


def write_model(path: Path, size: int = 5000) -> Path:
    tensors = {"b.weight": torch.arange(size, dtype=torch.float32), "a": torch.ones(2, 3, dtype=torch.bfloat16)}
    write_tensors(
        path, "model", tensors, {"config": {"d_model": 8, "pre_norm": False, "names": ["x", "y"]}, "scale": 0.5}
    )
    return path


class Malicious:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def test_roundtrip(tmp_path: Path) -> None:
    found = read_tensors(write_model(tmp_path / "m.pt"), "model")
    assert found.kind == "model"
    assert found.metadata == {"config": {"d_model": 8, "pre_norm": False, "names": ["x", "y"]}, "scale": 0.5}
    assert list(found.tensors) == ["a", "b.weight"]
    assert torch.equal(found.tensors["b.weight"], torch.arange(5000.0))
    assert found.tensors["a"].dtype == torch.bfloat16
    assert read_tensors(tmp_path / "m.pt").kind == "model"


def test_empty_and_scalar_tensors(tmp_path: Path) -> None:
    empty = torch.zeros(0, 4)
    write_tensors(tmp_path / "m.pt", "model", {"a": empty, "b": empty, "c": torch.tensor(3)}, {})
    found = read_tensors(tmp_path / "m.pt").tensors
    assert found["a"].shape == found["b"].shape == (0, 4)
    assert found["c"].item() == 3


def test_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    """Not on file name, folder, order of keys, shared or strided storage, or which strings are one object."""
    table = torch.arange(24.0).view(4, 6)
    word = "".join(["sinu", "soidal"])
    same, other = [1, 2], [1, 2]
    write_tensors(tmp_path / "a.pt", "model", {"x": table, "y": table}, {"p": word, "q": word, "l": same, "m": same})
    big = torch.zeros(100, 8)
    big[:4, :6] = table
    write_tensors(
        tmp_path / "deep" / "another.pt",
        "".join(["mod", "el"]),
        {"y": table.T.contiguous().T, "x": big[:4, :6].requires_grad_()},
        {"q": "".join(["sinusoi", "dal"]), "p": word, "m": tuple(other), "l": same},
    )
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "deep" / "another.pt").read_bytes()


def test_other_process_gives_the_same_bytes_and_torch_alone_opens_them(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.pt")
    source = Path(library.__file__).parents[2]
    write = (
        "import sys, torch; from pathlib import Path\n"
        "from stageformer.artifacts.tensors import read_tensors, write_tensors\n"
        "found = read_tensors(Path(sys.argv[1]))\n"
        "write_tensors(Path(sys.argv[2]), 'model', found.tensors, found.metadata)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", write, path, tmp_path / "n.pt"], check=True, env=environment)
    assert (tmp_path / "n.pt").read_bytes() == path.read_bytes()
    read = (
        "import sys; sys.modules['stageformer'] = None; import torch\n"
        "found = torch.load(sys.argv[1], weights_only=True, mmap=True)\n"
        "assert sorted(found) == ['kind', 'metadata', 'schema_version', 'tensors'], found\n"
        "assert found['tensors']['b.weight'].sum() == sum(range(5000)) and found['metadata']['scale'] == 0.5"
    )
    del environment["PYTHONPATH"]
    subprocess.run([sys.executable, "-c", read, path], check=True, env=environment, cwd=tmp_path)


@pytest.mark.parametrize("value", [torch.float32, Path("x"), {1: 2}, object(), {"a": {3}}])
def test_metadata_is_plain(tmp_path: Path, value: object) -> None:
    with pytest.raises(TypeError, match="plain values only"):
        write_tensors(tmp_path / "m.pt", "model", {}, {"x": value})
    assert not (tmp_path / "m.pt").exists()


@pytest.mark.parametrize("archive", [True, False], ids=["torch.save", "pickle"])
def test_code_is_never_run(tmp_path: Path, archive: bool) -> None:
    witness, path = tmp_path / "witness", tmp_path / "m.pt"
    content = {"kind": "model", "schema_version": SCHEMA_VERSION, "metadata": Malicious(witness), "tensors": {}}
    if archive:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(StageformerError, match="code is never loaded" if archive else "not a tensor file"):
        read_tensors(path, "model")
    assert not witness.exists()
    if archive:  # The file is indeed one that would have run: the check above is not an empty one.
        torch.load(path, weights_only=False)
        assert witness.exists()


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(StageformerError, match=r"m.pt: no such file.*dvc repro --force train_decoder"):
        read_tensors(tmp_path / "m.pt", "model")
    with pytest.raises(StageformerError, match="not a tensor file"):
        read_tensors(tmp_path, "model")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"weights", bytes(5000)])
def test_empty_and_foreign_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pt").write_bytes(content)
    with pytest.raises(StageformerError, match=r"m.pt: cut off or not a tensor file .*make it again"):
        read_tensors(tmp_path / "m.pt", "model")


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.99, 0.9999])
def test_cut_off(tmp_path: Path, part: float, verify: bool) -> None:
    path = write_model(tmp_path / "m.pt")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(StageformerError, match="cut off"):
        read_tensors(path, "model", verify=verify)


def test_no_changed_byte_changes_what_is_read(tmp_path: Path) -> None:
    """Flip bytes all over the file: each time it is refused, or the byte was one that nothing depends on."""
    path = write_model(tmp_path / "m.pt", size=300)
    content = path.read_bytes()
    good = read_tensors(path, "model")
    refused = 0
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0x21
        path.write_bytes(changed)
        try:
            found = read_tensors(path, "model")
        except StageformerError:
            refused += 1
        else:
            assert found.metadata == good.metadata
            assert all(torch.equal(found.tensors[name], good.tensors[name]) for name in good.tensors)
    assert refused > len(content) // 7 // 2


def test_wrong_kind_version_and_structure(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.pt")
    with pytest.raises(
        StageformerError, match=r"found an artifact of kind 'model', needed kind 'encoder'.*train_encoder"
    ):
        read_tensors(path, "encoder")
    good = {"kind": "model", "schema_version": SCHEMA_VERSION, "metadata": {}, "tensors": {}}
    for content, message in (
        ({**good, "schema_version": SCHEMA_VERSION + 1}, f"found schema version {SCHEMA_VERSION + 1}, needed"),
        ({"weight": torch.ones(2)}, "a file that Stageformer did not write, needed kind 'model'"),
        ([1, 2], "a file that Stageformer did not write"),
        ({name: good[name] for name in ("kind", "schema_version")}, "no metadata and tensors"),
    ):
        torch.save(content, path)
        with pytest.raises(StageformerError, match=message):
            read_tensors(path, "model")
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(StageformerError, match="needed an artifact of Stageformer"):
        read_tensors(path)


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "m.pt")
    before = path.read_bytes()

    def interrupted(content: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_model(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch answers a failed write with an error of its own, which must not hide why."""
    path = write_model(tmp_path / "m.pt")
    before = path.read_bytes()
    original = torch.save

    class FullDisk:
        def __init__(self, file: object) -> None:
            self.room = 3000

        def write(self, content: bytes) -> int:
            self.room -= len(content)
            if self.room < 0:
                raise OSError(28, "No space left on device")
            return len(content)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(torch, "save", lambda content, file: original(content, FullDisk(file)))
    with pytest.raises(StageformerError, match=r"m.pt: the disk is full .*the file was not replaced"):
        write_model(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_really_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        path = write_model(folder / "m.pt")
        before = path.read_bytes()
        with pytest.raises(StageformerError, match="the disk is full"):
            write_model(path, size=200_000)
        assert path.read_bytes() == before
        assert list(folder.iterdir()) == [path]
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def zipped_again(path: Path, change: Callable[[zipfile.ZipFile, zipfile.ZipInfo, bytes], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries:
            change(archive, entry, content)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("verify", [True, False])
def test_compressed_entries_are_refused(tmp_path: Path, method: int, verify: bool) -> None:
    """torch maps the file, and would take the compressed bytes for numbers."""
    path = write_model(tmp_path / "m.pt")
    zipped_again(path, lambda archive, entry, content: archive.writestr(entry, content, compress_type=method))
    with pytest.raises(StageformerError, match=r"m\.pt: its entry 'archive/.*' is compressed or encrypted; rejected"):
        read_tensors(path, "model", verify=verify)


def test_an_entry_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.pt")

    def twice(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: bytes) -> None:
        archive.writestr(entry.filename, content)
        if "data/" in entry.filename:
            archive.writestr(entry.filename, bytes(len(content)))

    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped_again(path, twice)
    with pytest.raises(StageformerError, match=r"m\.pt: its entry 'archive/data/0' is there twice; rejected"):
        read_tensors(path, "model")


@pytest.mark.parametrize(
    "tensor",
    [
        3,
        torch.ones(2).to_sparse(),
        torch.empty(2, device="meta"),
        torch.ones(1).expand(10**12),
        torch.ones(3, 4).T,
    ],
    ids=["int", "sparse", "meta", "stride 0", "transposed"],
)
def test_odd_tensors_are_refused(tmp_path: Path, tensor: object) -> None:
    path = tmp_path / "m.pt"
    header = {"kind": "model", "schema_version": SCHEMA_VERSION, "metadata": {}}
    torch.save({**header, "tensors": {"weight": tensor}}, path)
    with pytest.raises(StageformerError, match=r"m\.pt: .*(tensor 'weight' is not a plain one|never loaded)"):
        read_tensors(path, "model")
    torch.save({**header, "tensors": {7: torch.ones(2)}}, path)
    with pytest.raises(StageformerError, match=r"m\.pt: its tensor 7 is not a plain one"):
        read_tensors(path, "model")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite(tmp_path: Path, dtype: torch.dtype, bad: float) -> None:
    weight = torch.linspace(-60_000, 60_000, 1001).to(dtype)
    assert is_finite(weight)
    assert is_finite(torch.empty(0, 5))
    assert is_finite(torch.arange(5))
    assert is_finite(torch.full((100,), torch.finfo(dtype).max, dtype=dtype))  # their sum is not
    weight[500] = bad
    assert not is_finite(weight)
    write_tensors(tmp_path / "m.pt", "model", {"fine": torch.ones(2), "weight": weight}, {})
    with pytest.raises(StageformerError, match=r"m\.pt: the tensor weight holds numbers that are not finite .*repro"):
        check_finite(tmp_path / "m.pt", "model", read_tensors(tmp_path / "m.pt").tensors)
