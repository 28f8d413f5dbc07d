"""Padded copies of the memory, for other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stageformer.artifacts.tensors import read_tensors
from stageformer.errors import StageformerError
from stageformer.memory.padded import export_padded, padded_bytes
from stageformer.memory.store import DTYPES, MemoryStore
from stageformer.terminal.show_tensors import show_memory, show_tensor_file
from tests.memory.stores import LENGTHS, D, change, padded, write


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_padded_copies(tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stageformer.memory.padded.SENTENCES_PER_PART", 3)
    sentences = write(tmp_path / "memory", dtype=dtype)
    store = MemoryStore(tmp_path / "memory")
    memory, mask = padded(sentences, list(range(len(LENGTHS))))
    for format in ("npy", "pt"):
        files = export_padded(store, tmp_path / format, format)
        assert sorted(files) == sorted((tmp_path / format).iterdir())
        assert sum(file.stat().st_size for file in files) <= padded_bytes(store, format)
    npy = {
        name: np.load(tmp_path / "npy" / f"{name}.npy", mmap_mode="r") for name in ("memory", "mask", "lengths", "ids")
    }
    assert npy["memory"].dtype == ("float16" if dtype == "float16" else "float32")
    assert np.array_equal(npy["memory"], memory.numpy())
    assert np.array_equal(npy["mask"], mask.numpy())
    assert npy["lengths"].tolist() == LENGTHS
    assert np.array_equal(npy["ids"], store.ids)
    parts = [read_tensors(path, "padded_memory").tensors for path in sorted((tmp_path / "pt").iterdir())]
    assert [len(part["ids"]) for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part["memory"] for part in parts]).float(), memory)
    assert torch.equal(torch.cat([part["mask"] for part in parts]), mask)
    assert {part["memory"].dtype for part in parts} == {DTYPES[dtype]}


def test_padded_copy_of_nothing_and_unknown_format(tmp_path: Path) -> None:
    write(tmp_path / "memory", [])
    store = MemoryStore(tmp_path / "memory")
    export_padded(store, tmp_path / "npy", "npy")
    assert np.load(tmp_path / "npy" / "memory.npy").shape == (0, 0, D)
    export_padded(store, tmp_path / "pt", "pt")
    assert read_tensors(tmp_path / "pt" / "padded-00000.pt").tensors["memory"].shape == (0, 0, D)
    with pytest.raises(StageformerError, match="format 'csv' is unknown; choose one of npy, pt"):
        export_padded(store, tmp_path / "x", "csv")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_not_exported_and_shown_as_such(tmp_path: Path, bad: float) -> None:
    folder, shard = tmp_path / "encode" / "test", tmp_path / "encode" / "test" / "memory-00001.pt"
    write(folder)
    values = read_tensors(shard).tensors["values"].clone()
    values[0, 2] = bad
    change(shard, tensors={"values": values})
    for format in ("npy", "pt"):
        with pytest.raises(StageformerError, match=r"test: holds numbers that are not finite; .*dvc repro --force enc"):
            export_padded(MemoryStore(folder), tmp_path / format, format)
    _, facts, _ = show_memory(folder, 2, None, 80)
    assert ("numbers", "NaN or infinite in memory-00001.pt") in facts
    _, facts, _ = show_tensor_file(shard, 80)
    assert ("numbers", "NaN or infinite in values") in facts
