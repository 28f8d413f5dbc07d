"""A service as a maker of memory: it is given the text, its vector is the memory, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.batching.sentences import Sentences
from stageformer.building.build import build_encoder_model
from stageformer.building.model_files import load_model, save_model
from stageformer.building.service import ServiceEncoder
from stageformer.building.start import make_embeddings
from stageformer.errors import StageformerError
from stageformer.memory.asker import Asker
from stageformer.memory.encoding import open_source
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.service import ServiceSource, read_encoder
from stageformer.params.base import parse
from stageformer.params.embed import Embed
from stageformer.params.model import Model
from stageformer.params.reading import read_yaml
from stageformer.params.tokenize import Learnt
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.conversion import source_ids
from stageformer.text.tokenizers.byte_bpe import ByteBpeTokenizer
from stageformer.text.vocabulary import Vocabularies, Vocabulary
from stageformer.vectors._asking import CANARY
from tests.vectors.services import Server, serving, vector_of

CPU = torch.device("cpu")
DEFAULT: dict[str, Any] = read_yaml(Path(__file__).parents[2] / "recipes/default.yaml")
TEXTS = [
    "Two lights.", "größer als 日本語 🙂", "  two   blanks ", "<eos> <pad> <unk> Ġ ▁ ##", "a\u00a0b\tc", "e\u0301 é",
    "\ufffd", "Two lights in the kitchen.",
]  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def byte_bpe() -> ByteBpeTokenizer:
    options = Learnt(kind="byte_bpe", case="keep", normalisation="none", vocabulary_size=300)
    return ByteBpeTokenizer.train(["two lights in the kitchen", "two doors"] * 5, options)


def vocabulary_of(tokenizer: ByteBpeTokenizer) -> Vocabulary:
    return Vocabulary.from_counts(dict.fromkeys(tokenizer.learnt, 0), min_frequency=0, max_size=None)


@pytest.fixture(scope="module")
def tokenizer() -> ByteBpeTokenizer:
    return byte_bpe()


@pytest.fixture(scope="module")
def vocabulary(tokenizer: ByteBpeTokenizer) -> Vocabulary:
    return vocabulary_of(tokenizer)


@pytest.fixture
def sentences(tokenizer: ByteBpeTokenizer, vocabulary: Vocabulary) -> Sentences:
    return Sentences.of(source_ids(TEXTS, tokenizer, vocabulary))


def http(server: Server, **changes: object) -> dict[str, object]:
    return {
        "kind": "http", "revision": None, "base_url": server.base_url, "model": "m", "dimensions": None,
        "batch_size": 3, "api_key_variable": None, "price": None, **changes,
    }  # fmt: skip


def train_encoder(service: dict[str, object] | None) -> TrainEncoder:
    values = {**DEFAULT["train_encoder"], "objective": "service", "service": service}
    return parse(TrainEncoder, values, "train_encoder")


def asker(root: Path, vocabulary: Vocabulary, service: dict[str, object]) -> Asker:
    return Asker(root, vocabulary, train_encoder(service).service)


def encoder(root: Path, vocabulary: Vocabulary, service: dict[str, object], sentences: Sentences) -> ServiceEncoder:
    return read_encoder(asker(root, vocabulary, service), sentences[0], 90)


def asked(server: Server) -> list[str]:
    return [text for text in server.asked if text != CANARY]


def test_the_service_is_given_the_text_and_its_vector_is_the_memory(
    server: Server, tmp_path: Path, vocabulary: Vocabulary, sentences: Sentences
) -> None:
    found = encoder(tmp_path, vocabulary, http(server), sentences)
    assert asked(server) == TEXTS[:1]  # which tells the width
    source = ServiceSource(found, asker(tmp_path, vocabulary, http(server)))
    memory = EncodedMemory(source, sentences)
    assert memory.lengths.tolist() == [1] * len(TEXTS)
    rows = np.array([7, 1, 1])
    values, present = memory.batch(rows)
    assert torch.equal(values, torch.tensor([vector_of(TEXTS[row]) for row in rows]).unsqueeze(1))
    assert present.tolist() == [[True]] * 3
    assert source.width == 6
    assert asked(server) == TEXTS  # all at once, before the first batch
    assert server.asked.count(CANARY) == 2  # once by each of the two

    again = ServiceSource(found, asker(tmp_path, vocabulary, http(server)))
    again.prepare([sentences.part(range(4)), sentences.part(range(4, 8))], tmp_path / "answers")
    assert torch.equal(again.encode(sentences.take(rows))[0], values)
    assert (len(server.asked), len(list((tmp_path / "answers").iterdir()))) == (len(TEXTS) + 2, 1)
    # A clone has the output and no store.
    clone = tmp_path / "clone/.cache/answers"
    clone.mkdir(parents=True)
    for path in (tmp_path / "answers").iterdir():
        (clone / path.name).write_bytes(path.read_bytes())
    of_clone = ServiceSource(found, asker(tmp_path / "clone", vocabulary, http(server, base_url="http://nowhere/v1")))
    assert torch.equal(of_clone.encode(sentences.take(rows))[0], values)
    assert of_clone.fingerprint == source.fingerprint


def test_the_file_of_the_model_holds_neither_address_nor_variable(
    server: Server, tmp_path: Path, vocabulary: Vocabulary, sentences: Sentences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "sk-canary-93aa01")
    service = http(server, api_key_variable="THE_KEY")
    made = encoder(tmp_path, vocabulary, service, sentences)
    start, _ = make_embeddings(parse(Embed, DEFAULT["embed"], "embed"), Vocabularies(vocabulary, vocabulary, True))
    params, shared = train_encoder(service), parse(Model, DEFAULT["model"], "model")
    model = build_encoder_model(params, shared, start, made)
    path = tmp_path / "encoder.pt"
    save_model(path, "encoder", model, {"objective": "service"})
    read, _ = load_model(path, "encoder")
    assert isinstance(read.encoder, ServiceEncoder)
    assert read.encoder.description == made.description
    assert read.decoder.bridge.config.width == 6  # type: ignore[union-attr]
    content = path.read_bytes()
    assert b"THE_KEY" not in content
    assert b"127.0.0.1" not in content
    assert not [name for name in read_tensors(path, "encoder").tensors if name.startswith("encoder")]

    source = open_source(path, vocabulary.pad_id, CPU, asker=asker(tmp_path, vocabulary, service))
    assert torch.equal(source.encode(sentences)[0][:, 0], torch.tensor([vector_of(text) for text in TEXTS]))
    assert source.fingerprint == ServiceSource(made, None).fingerprint
    for changes in ({"model": "other"}, {"revision": "2"}):
        other = encoder(tmp_path, vocabulary, http(server, **changes), sentences)
        assert ServiceSource(other, None).fingerprint != source.fingerprint
    with pytest.raises(StageformerError, match=r"encode\.layers: a service has no layers"):
        open_source(path, vocabulary.pad_id, CPU, layers=[1])
    with pytest.raises(StageformerError, match=r"^the memory of this model is vectors of the service m; there is no"):
        read.encoder(torch.tensor([[4, 2]]))

    file = read_tensors(path, "encoder")
    for wrong in ([], {"name": "m"}, {"name": 1, "fingerprint": "f"}, {"name": "m", "fingerprint": None}):
        write_tensors(tmp_path / "wrong.pt", "encoder", dict(file.tensors), {**file.metadata, "service": wrong})
        with pytest.raises(StageformerError, match=r"wrong\.pt: the weights do not fit the configuration"):
            load_model(tmp_path / "wrong.pt", "encoder")


def test_nobody_is_asked_who_is_not_named_or_is_another(
    server: Server, tmp_path: Path, vocabulary: Vocabulary, sentences: Sentences
) -> None:
    made = encoder(tmp_path, vocabulary, http(server), sentences)
    with pytest.raises(StageformerError, match=r"is asked only in the repository whose params\.yaml names it"):
        ServiceSource(made, None).encode(sentences)
    before = len(server.asked)
    other = ServiceSource(made, asker(tmp_path, vocabulary, http(server, model="other")))
    with pytest.raises(StageformerError, match=r"train_encoder\.service asks other, but the encoder was made with"):
        other.encode(sentences)
    assert len(server.asked) == before
    server.width = 5  # as if another model had come behind the name; its canary is recorded
    with pytest.raises(StageformerError, match="the model has changed"):
        ServiceSource(made, asker(tmp_path, vocabulary, http(server))).encode(sentences)
    with pytest.raises(StageformerError, match="have 5 values, but the encoder was made for 6"):
        ServiceSource(made, asker(tmp_path / "empty", vocabulary, http(server))).encode(sentences)
    with pytest.raises(StageformerError, match="a service has no dropout; set it to 0"):
        ServiceSource(made, None).set_dropout(True)


def test_text_that_the_ids_do_not_hold(tmp_path: Path, server: Server, vocabulary: Vocabulary) -> None:
    with pytest.raises(StageformerError, match="a sentence holds <unk>, so that its text is not known any more"):
        asker(tmp_path, vocabulary, http(server)).text([vocabulary.unk_id, vocabulary.eos_id])
    assert server.asked == []


class Own:
    """An object of one's own, as LangChain's are."""

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [vector_of(text, 4) for text in texts]


def test_a_class_of_ones_own(tmp_path: Path, vocabulary: Vocabulary, sentences: Sentences) -> None:
    service: dict[str, object] = {
        "kind": "langchain", "revision": None, "factory": f"{__name__}:Own", "arguments": {}, "batch_size": 3
    }  # fmt: skip
    made = encoder(tmp_path, vocabulary, service, sentences)
    values, _ = ServiceSource(made, asker(tmp_path, vocabulary, service)).encode(sentences)
    assert torch.equal(values[:, 0], torch.tensor([vector_of(text, 4) for text in TEXTS]))

