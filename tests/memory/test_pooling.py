"""One vector for each sentence: as NumPy computes it by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.memory.pooling import HOW, export_pooled, pool
from stageformer.memory.store import DTYPES, MemoryStore
from tests.memory.stores import LENGTHS, D, reference, write

BY_HAND = {
    "mean": lambda vectors: vectors.astype(np.float64).mean(axis=0),
    "max": lambda vectors: vectors.max(axis=0),
    "cls": lambda vectors: vectors[0],
}


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("how", HOW)
def test_pooling_is_that_of_numpy(tmp_path: Path, how: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stageformer.memory.pooling.SENTENCES_PER_PART", 3)
    sentences = write(tmp_path / "memory", dtype=dtype)
    arguments = ["memory", "pool", str(tmp_path / "memory"), str(tmp_path / "out"), "--how", how, "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["shape"] == [len(LENGTHS), D]
    vectors = np.load(tmp_path / "out" / "vectors.npy")
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [BY_HAND[how](one.numpy()) for one in sentences], rtol=1e-6)
    assert np.array_equal(np.load(tmp_path / "out" / "ids.npy"), MemoryStore(tmp_path / "memory").ids)


def test_a_file_of_pytorch_holds_what_those_of_numpy_hold(tmp_path: Path) -> None:
    write(tmp_path / "memory")
    store, out = MemoryStore(tmp_path / "memory"), tmp_path / "out"
    export_pooled(store, out, "max")
    vectors, ids = np.load(out / "vectors.npy"), np.load(out / "ids.npy")
    arguments = ["memory", "pool", str(tmp_path / "memory"), str(out), "--how", "max", "--format", "pt"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert [path.name for path in out.iterdir()] == ["vectors.pt"]
    found = torch.load(out / "vectors.pt", weights_only=True)
    assert found["metadata"] == {"fingerprint": "abc", "how": "max"}
    assert np.array_equal(found["tensors"]["vectors"].numpy(), vectors)
    assert np.array_equal(found["tensors"]["ids"].numpy(), ids)
    with pytest.raises(StageformerError, match="'csv' is unknown; choose one of npy, pt"):
        export_pooled(store, out, "max", "csv")


@pytest.mark.parametrize("how", HOW)
def test_padding_takes_no_part(how: str) -> None:
    sentences = reference([2, 4])
    memory = torch.full((2, 6, D), torch.nan)
    present = torch.zeros(2, 6, dtype=torch.bool)
    for row, one in enumerate(sentences):
        memory[row, : len(one)], present[row, : len(one)] = one, True
    expected = np.array([BY_HAND[how](one.numpy()) for one in sentences])
    np.testing.assert_allclose(pool(memory, present, how).numpy(), expected, rtol=1e-6)


def test_what_cannot_be_pooled(tmp_path: Path) -> None:
    write(tmp_path / "memory", [2, 0])
    with pytest.raises(StageformerError, match="sentence 103 has no vectors"):
        export_pooled(MemoryStore(tmp_path / "memory"), tmp_path / "out", "max")
    assert not (tmp_path / "out").exists()
    write(tmp_path / "nothing", [])
    export_pooled(MemoryStore(tmp_path / "nothing"), tmp_path / "out", "mean")
    assert np.load(tmp_path / "out" / "vectors.npy").shape == (0, D)
