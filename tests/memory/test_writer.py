"""How the memory store is cut into shards and written."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from stageformer.artifacts.tensors import read_tensors
from stageformer.compute import disk
from stageformer.compute.disk import BYTES_BESIDE_VALUES, check_disk, required_bytes
from stageformer.errors import StageformerError
from stageformer.memory.padded import export_padded
from stageformer.memory.store import DTYPES, MemoryStore
from stageformer.memory.writer import MemoryWriter
from tests.memory.stores import LENGTHS, D, write


def test_shards_are_bounded_and_sentences_whole(tmp_path: Path) -> None:
    write(tmp_path, [3, 4, 9, 1, 8, 8], shard_tokens=8)
    shards = [read_tensors(path, "memory") for path in sorted(tmp_path.iterdir())]
    assert [np.diff(s.tensors["offsets"].numpy()).tolist() for s in shards] == [[3, 4], [9], [1], [8], [8]]
    assert shards[1].metadata == {
        "d_model": D, "dtype": "float32", "fingerprint": "abc", "num_sentences": 1, "num_tokens": 9, "shard": 1,
        "num_shards": 5, "total_sentences": 6, "total_tokens": 33,
    }  # fmt: skip


def test_the_next_shard_takes_the_memory_of_the_last(tmp_path: Path) -> None:
    lengths = np.array([3, 4, 9, 1, 8])
    writer = MemoryWriter(
        tmp_path, np.arange(5), lengths, width=D, dtype="float32", fingerprint="abc", shard_tokens=8
    )
    places = set()
    for shard in writer.shards():
        places.add(shard.values.data_ptr())
        assert shard.values.untyped_storage().nbytes() == shard.values.nbytes, "it would be copied to be saved"
        for row in shard.rows:
            memory = torch.full((1, int(lengths[row]), D), float(row))
            shard.put(np.array([row]), memory, torch.ones(memory.shape[:2], dtype=torch.bool))
    assert len(list(tmp_path.iterdir())) == 4
    assert len(places) == 1
    assert MemoryStore(tmp_path).batch([0, 2, 3])[0][:, 0, 0].tolist() == [0, 2, 3]


def test_same_bytes_for_other_batches_and_folders(tmp_path: Path) -> None:
    write(tmp_path / "a", batch=1)
    write(tmp_path / "b" / "c", batch=4)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) > 2
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / "c" / name).read_bytes()


def test_shards_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    write(tmp_path, shard_tokens=1)
    write(tmp_path, shard_tokens=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["memory-00000.pt"]
    assert len(MemoryStore(tmp_path)) == len(LENGTHS)


def test_required_bytes_is_an_upper_bound_and_close(tmp_path: Path) -> None:
    for dtype in DTYPES:
        lengths = [5] * 2000
        write(tmp_path / dtype, lengths, dtype, shard_tokens=3000, batch=500)
        size = sum(path.stat().st_size for path in (tmp_path / dtype).iterdir())
        needed = required_bytes(10_000, 2000, D, dtype, 4)
        assert size <= needed <= size + 4 * BYTES_BESIDE_VALUES


def test_too_little_disk_is_seen_before_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "memory")
    before = {path: path.read_bytes() for path in (tmp_path / "memory").iterdir()}
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1000, 2**20)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StageformerError, match=r"needs 3\.1 MiB of disk, 1\.0 MiB are free"):
        write(tmp_path / "memory", [100_000, 100_000])
    assert {path: path.read_bytes() for path in (tmp_path / "memory").iterdir()} == before
    with pytest.raises(StageformerError, match="new/deep: needs"):
        check_disk(tmp_path / "new" / "deep", 2**21)
    check_disk(tmp_path / "new" / "deep", 2**20)
    assert not (tmp_path / "new").exists()
    store = MemoryStore(tmp_path / "memory")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(StageformerError, match="out: needs"):
        export_padded(store, tmp_path / "out", "npy")
    assert not (tmp_path / "out").exists()


def test_mistakes_of_the_caller(tmp_path: Path) -> None:
    writer = MemoryWriter(
        tmp_path, np.arange(3), np.array([2, 2, 2]), width=D, dtype="float32", fingerprint="x", shard_tokens=4
    )
    assert writer.plan == [range(0, 2), range(2, 3)]
    shards = writer.shards()
    shard = next(shards)
    all_of = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="rows 2 to 2"):
        shard.put(np.array([2]), torch.zeros(1, 2, D), all_of)
    for memory, present in (
        (torch.zeros(1, 1, D), all_of[:, :1]),  # one vector too few
        (torch.zeros(1, 2, D), torch.tensor([[False, True]])),  # padding first
        (torch.zeros(1, 3, D), torch.ones(1, 3, dtype=torch.bool)),  # one too many
        (torch.zeros(1, 2, D + 1), all_of),
        (torch.zeros(2, 2, D), all_of.expand(2, 2)),
    ):
        with pytest.raises(ValueError, match=r"for sentences of lengths \[2\] and width 4"):
            shard.put(np.array([0]), memory, present)
    shard.put(np.array([0]), torch.zeros(1, 2, D), all_of)
    with pytest.raises(ValueError, match="1 of the 2 sentences of shard 0 are missing"):
        next(shards)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path)
    store = MemoryStore(tmp_path)
    for rows in ([-1], [len(store)]):
        with pytest.raises(IndexError):
            store.batch(np.array(rows))
