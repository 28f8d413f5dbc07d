"""The seam of what makes memory: any maker can be encoded, stored, learned from and searched with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stageformer.artifacts.tables import write_table
from stageformer.artifacts.tensors import write_tensors
from stageformer.batching.pairs import open_sources
from stageformer.batching.sentences import Ints, Sentences, presence
from stageformer.building.model_files import save_model, weights_fingerprint
from stageformer.errors import StageformerError
from stageformer.memory import sources
from stageformer.memory.encoding import encode_split, encode_splits, memory_writer, open_source
from stageformer.memory.memory import EncodedMemory, Memory, StoredMemory, saved_or_encoded
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.store import MemoryStore, open_memory, write_empty_memories
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Encoder, Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode

PAD, EOS, VOCABULARY, WIDTH = 0, 2, 14, 6
CPU = torch.device("cpu")
ENCODE_VALUES = {
    "layers": "last", "dtype": "float32", "batch_tokens": 12, "shard_tokens": 20, "dropout_copies": 0, "seed": 1
}  # fmt: skip
ENCODE = parse(Encode, ENCODE_VALUES, "encode")


class Summary:
    """A maker as foreign as can be: one vector a sentence, of a width of its own, and no dropout."""

    fingerprint = "a service"
    width = WIDTH
    kept = None

    def lengths(self, tokens: Ints) -> Ints:
        return np.ones_like(tokens)

    def prepare(self, sentences: Iterable[Sentences], folder: Path | None = None) -> None:
        self.heard = sum(map(len, sentences))
        if folder is not None:
            folder.mkdir()
            (folder / "heard.txt").write_text(str(self.heard))

    def encode(self, sentences: Sentences) -> tuple[Tensor, Tensor]:
        values = [[float(sum(ids) * (n + 1)) for n in range(WIDTH)] for ids in sentences]
        return torch.tensor(values).view(-1, 1, WIDTH), torch.ones(len(sentences), 1, dtype=torch.bool)

    def set_dropout(self, on: bool) -> None:
        if on:
            raise StageformerError("encode.dropout_copies: a service has no dropout; set it to 0")


class Liar(Summary):
    """Promises one vector a sentence, and returns one a token."""

    def encode(self, sentences: Sentences) -> tuple[Tensor, Tensor]:
        present = torch.from_numpy(presence(sentences.lengths))
        return torch.zeros(*present.shape, WIDTH), present


def encoder_source() -> EncoderSource:
    torch.manual_seed(0)
    stack = StackConfig(8, 1, 2, 16, norm="pre", residual_dropout=0.3)
    return EncoderSource(Encoder(EmbeddingConfig(VOCABULARY, 8, max_length=16), stack).eval(), PAD)


@pytest.fixture
def compute(make_compute: Callable[..., Compute]) -> Compute:
    return make_compute()


@pytest.fixture
def sentences() -> Sentences:
    generator = np.random.default_rng(0)
    return Sentences.of([*generator.integers(4, VOCABULARY, n % 6).tolist(), EOS] for n in range(25))


def encoded(source: MemorySource, sentences: Sentences, folder: Path, compute: Compute, copy: int = 0) -> MemoryStore:
    writer = memory_writer(folder, np.arange(len(sentences)), sentences.lengths, source, ENCODE)
    encode_split(writer, sentences, source, ENCODE, compute, "encode", copy=copy)
    return MemoryStore(folder)


@pytest.mark.parametrize("maker", [encoder_source, Summary])
def test_stored_and_made_on_demand_are_the_same_memory(
    tmp_path: Path, compute: Compute, sentences: Sentences, maker: Callable[[], MemorySource]
) -> None:
    source = maker()
    store = encoded(source, sentences, tmp_path, compute)
    assert (store.fingerprint, store.width) == (source.fingerprint, source.width)
    rows = np.array([24, 3, 3, 0, 11])
    memories: list[Memory] = [
        store, StoredMemory(store, np.arange(25), CPU), EncodedMemory(source, sentences),
        StoredMemory(store, np.arange(25)[::-1], CPU),
    ]  # fmt: skip
    expected, expected_present = source.encode(sentences.take(rows))
    for memory, chosen in zip(memories, (rows, rows, rows, 24 - rows), strict=True):
        assert memory.lengths[chosen].tolist() == source.lengths(sentences.lengths)[rows].tolist()
        values, present = memory.batch(chosen)
        assert torch.equal(present, expected_present)
        torch.testing.assert_close(values[present], expected[expected_present], rtol=1e-5, atol=1e-6)


def test_a_maker_that_breaks_its_promise(tmp_path: Path, compute: Compute, sentences: Sentences) -> None:
    with pytest.raises(ValueError, match="for sentences of lengths"):
        encoded(Liar(), sentences, tmp_path, compute)


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("float32", float("nan"), "memory of sentence 107 holds numbers that are not finite .*--force train_encoder"),
        ("float32", float("-inf"), "memory of sentence 107 holds numbers that are not finite .*--force train_encoder"),
        ("float16", 70_000.0, r"memory of sentence 107 holds numbers beyond 65,504, the largest of float16; choose b"),
    ],
)
def test_numbers_that_the_store_cannot_hold_are_refused_before_anything_is_written(
    tmp_path: Path, compute: Compute, sentences: Sentences, dtype: str, value: float, message: str
) -> None:
    class Broken(Summary):
        def encode(self, batch: Sentences) -> tuple[Tensor, Tensor]:
            values, present = super().encode(batch)
            for row, ids in enumerate(batch):
                if ids == sentences[7]:
                    values[row, 0, 3] = value
            return values, present

    params = parse(Encode, {**ENCODE_VALUES, "dtype": dtype}, "encode")
    writer = memory_writer(tmp_path / "memory", np.arange(100, 125), sentences.lengths, Broken(), params)
    with pytest.raises(StageformerError, match=message):
        encode_split(writer, sentences, Broken(), params, compute, "encode")
    assert not list(tmp_path.rglob("*.pt"))


def test_dropout_copies_are_asked_of_the_maker(tmp_path: Path, compute: Compute, sentences: Sentences) -> None:
    with pytest.raises(StageformerError, match=r"encode\.dropout_copies: a service has no dropout"):
        encoded(Summary(), sentences, tmp_path / "none", compute, copy=1)
    source = encoder_source()
    copies = [encoded(source, sentences, tmp_path / str(copy), compute, copy) for copy in (0, 1, 2, 1)]
    values = [store.batch(np.arange(25))[0] for store in copies]
    assert torch.equal(values[1], values[3])
    assert not torch.equal(values[0], values[1])
    assert not torch.equal(values[1], values[2])


def test_memory_of_another_maker_is_refused(tmp_path: Path, compute: Compute, sentences: Sentences) -> None:
    encoded(Summary(), sentences, tmp_path, compute)
    with pytest.raises(StageformerError, match="holds memory of the maker a servic, needed that"):
        open_memory(tmp_path, np.arange(25), encoder_source().fingerprint)


def test_the_fingerprint_is_that_of_the_weights() -> None:
    one, same, other = encoder_source(), encoder_source(), encoder_source()
    with torch.no_grad():
        other.encoder.embedding.weight[5, 0] += 1e-3
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_the_maker_is_the_one_of_the_objective_or_our_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: Sentences
) -> None:
    stack, side = StackConfig(8, 1, 2, 16, norm="pre"), EmbeddingConfig(VOCABULARY, 8, max_length=16)
    model, path = Transformer(TransformerConfig(side, side, stack, stack)), tmp_path / "encoder.pt"
    for objective in ("translation", "masked", "none"):
        save_model(path, "encoder", model, {"objective": objective})
        ours = open_source(path, PAD, CPU)
        assert isinstance(ours, EncoderSource)
        assert ours.fingerprint == weights_fingerprint(model.encoder)
        assert not ours.encoder.training
    (tmp_path / "service_of_the_test.py").write_text(
        "from tests.memory.test_sources import Summary\n"
        "def open_source(path, pad_id, device, layers, asker):\n"
        "    return Summary()\n"
    )
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    write_tensors(path, "encoder", {}, {"objective": "service_of_the_test"})
    values, present = open_source(path, PAD, CPU).encode(sentences)
    assert values.shape == (25, 1, WIDTH)
    assert bool(present.all())
    write_tensors(path, "model", {}, {"objective": "service_of_the_test"})
    with pytest.raises(StageformerError, match="needed kind 'encoder'"):
        open_source(path, PAD, CPU)


def test_saved_memory_is_read_where_the_maker_made_it_and_all_lengths_agree(
    tmp_path: Path, compute: Compute, sentences: Sentences
) -> None:
    source, ids, rows = encoder_source(), np.arange(25), np.array([3, 20])
    encoded(source, sentences, tmp_path, compute)
    saved = saved_or_encoded(tmp_path, source, ids, sentences, CPU)
    assert isinstance(saved, StoredMemory)
    others = [*sentences]
    others[3], others[4] = others[4], others[3]  # of the same ids, but no longer as long
    with pytest.raises(StageformerError, match="sentence 3 has 4 vectors, needed 5, by its tokens in the"):
        saved_or_encoded(tmp_path, source, ids, Sentences.of(others), CPU)
    with pytest.raises(StageformerError, match=r"holds sentence 24, which the table of ids lacks \(1 such\)"):
        saved_or_encoded(tmp_path, source, ids[:-1], sentences.take(ids[:-1]), CPU)
    with pytest.raises(StageformerError, match=f"the table of ids: holds sentence 25, which {tmp_path} lacks"):
        saved_or_encoded(tmp_path, source, ids + 1, sentences, CPU)
    made = saved_or_encoded(tmp_path, Summary(), ids, sentences, CPU)
    assert isinstance(made, EncodedMemory)
    assert made.batch(rows)[0].shape == (2, 1, WIDTH)


def test_encoding_replaces_the_folder_when_all_of_it_is_whole(
    tmp_path: Path, compute: Compute, sentences: Sentences
) -> None:
    table = {"id": range(25), "source_ids": list(sentences), "target_ids": [[1, EOS]] * 25}
    write_table(tmp_path / "train.parquet", "ids", [table])
    stored = {"train": open_sources(tmp_path / "train.parquet", VOCABULARY)}
    copies = parse(Encode, {**ENCODE_VALUES, "dropout_copies": 2}, "encode")
    output = tmp_path / "encode"
    encode_splits(encoder_source(), stored, copies, compute, output)
    assert {path.name for path in output.iterdir()} == {"train", "train-dropout-01", "train-dropout-02"}
    before = {path: path.read_bytes() for path in output.rglob("*.pt")}
    with pytest.raises(ValueError, match="for sentences of lengths"):
        encode_splits(Liar(), stored, ENCODE, compute, output)
    assert {path: path.read_bytes() for path in output.rglob("*.pt")} == before
    encode_splits(Summary(), stored, ENCODE, compute, output)
    assert sorted(path.name for path in output.iterdir()) == ["answers", "train"]
    assert (output / "answers/heard.txt").read_text() == "25"
    assert MemoryStore(output / "train").fingerprint == "a service"
    write_empty_memories(output)
    assert {str(path.relative_to(output)) for path in output.rglob("*.pt")} == {
        "train/empty.pt", "valid/empty.pt", "test/empty.pt"
    }  # fmt: skip
    assert not list(tmp_path.glob(".*"))
