"""The store of encoder output against a naive padded reference, and what happens when a folder is not whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.errors import StageformerError
from stageformer.memory.padded import export_padded
from stageformer.memory.store import DTYPES, MemoryStore, find_memory, open_memory, write_empty_memory
from tests.memory.stores import LENGTHS, D, change, padded, write


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


def test_unknown_sentence(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StageformerError, match=r"no sentence 101 among the 7 there \(2 of 3 asked for.*force encode"):
        MemoryStore(tmp_path).rows_of(np.array([100, 101, 5000]))
    write(tmp_path, [])
    with pytest.raises(StageformerError, match="no sentence 5 among the 0"):
        MemoryStore(tmp_path).rows_of(np.array([5]))


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
