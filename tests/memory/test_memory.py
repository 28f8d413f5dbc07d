"""The store of encoder output against a naive padded reference, and what happens when a folder is not whole."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.errors import StageformerError
from stageformer.memory import writer as writing
from stageformer.memory.padded import export_padded, padded_bytes
from stageformer.memory.store import DTYPES, MemoryStore, find_memory, open_memory, write_empty_memory
from stageformer.memory.writer import MemoryWriter, check_disk, required_bytes
from stageformer.terminal.show_tensors import show_memory, show_tensor_file

D = 4
LENGTHS = [3, 1, 5, 2, 2, 7, 1]


def reference(lengths: list[int]) -> list[torch.Tensor]:
    """The memory of each sentence, ``[length, D]``, exact in each of the formats."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(-64, 64, (length, D), generator=generator).float() for length in lengths]


def write(
    folder: Path, lengths: list[int] = LENGTHS, dtype: str = "float32", shard_tokens: int = 8, fingerprint: str = "abc",
    batch: int = 2, first_id: int = 100,
) -> list[torch.Tensor]:  # fmt: skip
    sentences = reference(lengths)
    ids = first_id + 3 * np.arange(len(lengths))
    ids.flags.writeable = False  # As columns of a table are.
    writer = MemoryWriter(
        folder, ids, np.array(lengths, dtype=np.int64), width=D, dtype=dtype, fingerprint=fingerprint,
        shard_tokens=shard_tokens,
    )  # fmt: skip
    for shard in writer.shards():
        by_length = sorted(shard.rows, key=lambda row: -lengths[row])
        for start in range(0, len(by_length), batch):
            rows = by_length[start : start + batch]
            width = max(lengths[row] for row in rows) + 1  # One place of padding more than needed.
            memory, present = torch.full((len(rows), width, D), 999.0), torch.zeros(len(rows), width, dtype=torch.bool)
            for i, row in enumerate(rows):
                memory[i, : lengths[row]] = sentences[row]
                present[i, : lengths[row]] = True
            shard.put(np.array(rows), memory, present)
    return sentences


def padded(sentences: list[torch.Tensor], rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max((len(sentences[row]) for row in rows), default=0)
    memory, mask = torch.zeros(len(rows), width, D), torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        memory[i, : len(sentences[row])] = sentences[row]
        mask[i, : len(sentences[row])] = True
    return memory, mask


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), max_size=12),
    shard_tokens=st.integers(1, 30),
    dtype=st.sampled_from(sorted(DTYPES)),
    batch=st.integers(1, 5),
    data=st.data(),
)
def test_any_sentences_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], shard_tokens: int, dtype: str, batch: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("memory")
    sentences = write(folder, lengths, dtype, shard_tokens, batch=batch)
    store = MemoryStore(folder)
    assert (len(store), store.width, store.dtype, store.fingerprint) == (len(lengths), D, dtype, "abc")
    assert store.lengths.tolist() == lengths
    assert store.ids.tolist() == [100 + 3 * i for i in range(len(lengths))]
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=20)) if lengths else []
    wanted_memory, wanted_mask = padded(sentences, rows)
    for form in (np.array(rows, dtype=np.int64), torch.tensor(rows, dtype=torch.int64)):
        memory, mask = store.batch(form)
        assert memory.dtype == torch.float32
        assert mask.dtype == torch.bool
        assert torch.equal(memory, wanted_memory)
        assert torch.equal(mask, wanted_mask)
    assert store.rows_of(store.ids[np.array(rows, dtype=np.int64)]).tolist() == rows


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
        assert size <= needed <= size + 4 * writing.BYTES_BESIDE_VALUES


def test_too_little_disk_is_seen_before_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "memory")
    before = {path: path.read_bytes() for path in (tmp_path / "memory").iterdir()}
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1000, 2**20)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StageformerError, match=r"needs 3\.1 MiB of disk, 1\.0 MiB are free"):
        write(tmp_path / "memory", [100_000, 100_000])
    assert {path: path.read_bytes() for path in (tmp_path / "memory").iterdir()} == before
    with pytest.raises(StageformerError, match="new/deep: needs"):
        check_disk(tmp_path / "new" / "deep", 2**21)
    check_disk(tmp_path / "new" / "deep", 2**20)
    assert not (tmp_path / "new").exists()
    store = MemoryStore(tmp_path / "memory")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: usage._replace(free=100))
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


def test_unknown_sentence(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StageformerError, match=r"no sentence 101 among the 7 there \(2 of 3 asked for.*force encode"):
        MemoryStore(tmp_path).rows_of(np.array([100, 101, 5000]))
    write(tmp_path, [])
    with pytest.raises(StageformerError, match="no sentence 5 among the 0"):
        MemoryStore(tmp_path).rows_of(np.array([5]))


def change(path: Path, tensors: dict | None = None, **metadata: object) -> None:
    found = read_tensors(path, "memory")
    write_tensors(path, "memory", {**found.tensors, **(tensors or {})}, {**found.metadata, **metadata})


def test_folders_that_are_not_whole(tmp_path: Path) -> None:
    shard = tmp_path / "memory-00001.pt"

    def refused(message: str) -> None:
        with pytest.raises(StageformerError, match=message + ".*dvc repro --force encode"):
            MemoryStore(tmp_path)
        write(tmp_path)

    refused("holds no memory")
    shard.unlink()
    refused("found 3 of 4 shards, memory-00001.pt is missing")
    (tmp_path / "memory-00003.pt").unlink()
    refused("found 3 of 4 shards, memory-00003.pt is missing")
    write_tensors(tmp_path / "memory-00004.pt", "memory", {}, {})
    refused("found 5 of 4 shards, there are more")
    shard.write_bytes(shard.read_bytes()[:-100])
    refused("memory-00001.pt: cut off")
    write_tensors(shard, "model", {}, {})
    refused("found an artifact of kind 'model', needed kind 'memory'")
    change(shard, fingerprint="other")
    refused("memory-00001.pt: its fingerprint is 'other', that of memory-00000.pt is 'abc'")
    change(shard, d_model=D + 1)
    refused("its d_model is 5")
    change(shard, tensors={"values": torch.zeros(3, D)})
    refused("memory-00001.pt: its tensors and its metadata contradict each other")
    change(shard, shard=0)
    refused("contradict")
    offsets = read_tensors(shard).tensors["offsets"].clone()
    change(shard, tensors={"offsets": offsets.flip(0)})
    refused("contradict")
    change(
        shard, tensors={"ids": read_tensors(tmp_path / "memory-00000.pt").tensors["ids"][:1].repeat(len(offsets) - 1)}
    )
    refused("sentence 100 is there twice")
    for odd in (10**9, "x", None, 2.5):
        for path in tmp_path.iterdir():
            change(path, num_shards=odd)
        refused(f"found 4 of {odd} shards")
    for odd_metadata in ({"dtype": ["float32"]}, {"fingerprint": None}, {"d_model": "4"}, {"dtype": "int8"}):
        for path in tmp_path.iterdir():
            change(path, **odd_metadata)
        refused("memory-00000.pt: its tensors and its metadata contradict each other")
    for path in tmp_path.iterdir():
        change(path, total_sentences=9)
    refused("found num_sentences 7 in all shards, needed 9")
    MemoryStore(tmp_path)


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


def test_document_states_every_tensor(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "artifacts.md").read_text(encoding="utf-8")
    write(tmp_path / "memory")
    export_padded(MemoryStore(tmp_path / "memory"), tmp_path / "padded", "pt")
    for path in (tmp_path / "memory" / "memory-00000.pt", tmp_path / "padded" / "padded-00000.pt"):
        found = read_tensors(path)
        section = document.split(f"Kind: `{found.kind}`")[1].split("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == set(found.tensors)
        assert all(f"`{key}`" in section for key in found.metadata)


def test_opens_with_torch_alone(tmp_path: Path) -> None:
    sentences = write(tmp_path / "memory")
    code = (
        "import sys; sys.modules['stageformer'] = None; import torch\n"
        "t = torch.load(sys.argv[1], weights_only=True, mmap=True)['tensors']\n"
        "print(t['values'][t['offsets'][1]:t['offsets'][2]].tolist(), t['ids'].tolist())"
    )
    command = [sys.executable, "-c", code, tmp_path / "memory" / "memory-00000.pt"]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert found == f"{sentences[1].tolist()} [100, 103]\n"


def test_memory_belongs_to_its_sentences_and_its_encoder(tmp_path: Path) -> None:
    write(tmp_path)
    ids = MemoryStore(tmp_path).ids
    assert len(open_memory(tmp_path, ids, "abc")) == len(LENGTHS)
    with pytest.raises(StageformerError, match=r"maker abc, needed that of 0123abcd; .*dvc repro --force encode"):
        open_memory(tmp_path, ids, "0123abcdef")
    for others in (ids[::-1], ids[:-1], ids + 1):
        with pytest.raises(StageformerError, match="holds other sentences than the table of ids"):
            open_memory(tmp_path, others, "abc")
    assert len(open_memory(tmp_path, ids, "abc", np.array(LENGTHS))) == len(LENGTHS)
    wrong = np.array(LENGTHS)
    wrong[[1, 2]] = wrong[[2, 1]]  # of the same sum
    with pytest.raises(StageformerError, match=r"sentence 103 has 1 vectors, needed 5, .*dvc repro --force encode"):
        open_memory(tmp_path, ids, "abc", wrong)


def test_the_memory_is_that_of_the_encoder_asked_for_or_none(tmp_path: Path) -> None:
    write(tmp_path, fingerprint="abc")
    store = find_memory(tmp_path, "abc")
    assert store is not None
    assert len(store) == len(LENGTHS)
    assert find_memory(tmp_path, "another") is None
    with pytest.raises(StageformerError, match="holds no memory"):
        find_memory(tmp_path / "nothing", "abc")


def test_an_empty_memory_says_so_and_is_not_learnt_from(tmp_path: Path) -> None:
    write(tmp_path / "one")
    for name in ("one", "two"):
        write_empty_memory(tmp_path / name)
    (file,) = (tmp_path / "one").iterdir()
    assert read_tensors(file).kind == "empty_memory"
    assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert find_memory(tmp_path / "one", "abc") is None
    with pytest.raises(StageformerError) as caught:
        open_memory(tmp_path / "one", np.array([100]), "abc")
    assert str(caught.value) == (
        f"{tmp_path / 'one'}: the memory is empty, since train_encoder.way was 'joint' when it was made; "
        "set it to 'staged' and run `dvc repro`"
    )
    write(tmp_path / "one")
    assert len(MemoryStore(tmp_path / "one")) == len(LENGTHS)
    assert find_memory(tmp_path / "one", "abc") is not None


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
