"""Parts of different models are refused where they meet, and what only looks different is not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers as library
import torch
import yaml
from click.testing import CliRunner

from stageformer.artifacts.tables import write_table
from stageformer.artifacts.tensors import read_tensors, write_tensors
from stageformer.building.embeddings import load_embeddings, save_embeddings
from stageformer.building.model_files import load_model, save_model
from stageformer.building.start import make_embeddings
from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.choices import kinds
from stageformer.params.embed import Embed
from stageformer.params.translate import Translate
from stageformer.text.pair import load_tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.vocabulary import SHARED_NAME, Vocabularies, Vocabulary, load_vocabularies
from stageformer.translator.model_folder import save_model_folder
from stageformer.translator.translator import Translator
from tests.families import family

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "recipes/default.yaml").read_text())
TEXTS = ["the cat sat on the mat", "the hat of the cat", "a bat ate the rat"] * 3


def make_vocabularies(folder: Path, texts: list[str] = TEXTS, size: int = 24, kind: str = "bpe") -> Vocabularies:
    trained = train_tokenizers(texts, texts, family(kind, vocabulary_size=size), None)
    its = save_tokenizers(trained, folder / "tokenizer")
    vocabulary = Vocabulary.from_counts(dict.fromkeys(its.source.learnt, 1), min_frequency=1, max_size=None)
    vocabulary.save(folder / SHARED_NAME, its.parts)
    return load_vocabularies(folder, its.parts)


def make_model(path: Path, vocabularies: Vocabularies, kind: str = "model") -> None:
    torch.manual_seed(0)
    side, stack = EmbeddingConfig(len(vocabularies.source), 8, max_length=30), StackConfig(8, 1, 2, 8)
    model = Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True))
    save_model(path, kind, model, {"objective": "translation"}, vocabularies.parts)


def make(folder: Path, texts: list[str] = TEXTS) -> Path:
    """Make a model folder, as `stageformer export` writes it."""
    made = folder / "made"
    make_model(made / "model.pt", make_vocabularies(made, texts))
    params = parse(Translate, PARAMS["translate"], "translate")
    save_model_folder(
        folder / "model", model=made / "model.pt", tokenizers=made / "tokenizer", vocabularies=made, params=params
    )
    return folder / "model"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make(tmp_path)


def rewrite(path: Path, change: Callable[[list[str], list[int]], tuple[list[str], list[int]]]) -> None:
    """Change the entries of a vocabulary, and keep what its header says."""
    old = Vocabulary.load(path)
    tokens, counts = change(old.tokens[4:], old.counts[4:])
    parts = load_vocabularies(path.parent).tokenizer
    Vocabulary(old.tokens[:4] + tokens, [0] * 4 + counts).save(path, parts)


def edit(path: Path, change: Callable[[library.Tokenizer], None]) -> None:
    tokenizer = library.Tokenizer.from_str(path.read_text())
    change(tokenizer)
    path.write_text(tokenizer.to_str(pretty=True))


def reversed_vocabulary(model: Path) -> None:
    rewrite(model / SHARED_NAME, lambda tokens, counts: (tokens[::-1], counts))


def two_tokens_swapped(model: Path) -> None:
    rewrite(model / SHARED_NAME, lambda tokens, counts: ([tokens[1], tokens[0], *tokens[2:]], counts))


def longer_vocabulary(model: Path) -> None:
    rewrite(model / SHARED_NAME, lambda tokens, counts: ([*tokens, "more"], [*counts, 1]))


def shorter_vocabulary(model: Path) -> None:
    rewrite(model / SHARED_NAME, lambda tokens, counts: (tokens[:-1], counts[:-1]))


def another_family(model: Path) -> None:
    shutil.rmtree(model / "tokenizer")
    trained = train_tokenizers(TEXTS, TEXTS, family("unigram", vocabulary_size=24), None)
    save_tokenizers(trained, model / "tokenizer")


def another_kind_in_the_configuration(model: Path) -> None:
    configure(model, kind="char")


def lowercase(model: Path) -> None:
    configure(model, case="lower")


def configure(model: Path, **values: object) -> None:
    path = model / "tokenizer" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"source": config["source"] | values}))


def truncation(model: Path) -> None:
    edit(model / "tokenizer/shared/tokenizer.json", lambda its: its.enable_truncation(3))


def padding(model: Path) -> None:
    edit(model / "tokenizer/shared/tokenizer.json", lambda its: its.enable_padding(length=9, pad_token="a"))


def merges_in_another_order(model: Path) -> None:
    path = model / "tokenizer/shared/tokenizer.json"
    values = json.loads(path.read_text())
    values["model"]["merges"].reverse()
    path.write_text(json.dumps(values))


def tokenizer_of_another_training(model: Path) -> None:
    make_vocabularies(model.parent / "other", TEXTS[:1] * 5 + ["dog god"])
    shutil.rmtree(model / "tokenizer")
    shutil.copytree(model.parent / "other/tokenizer", model / "tokenizer")


def vocabulary_and_tokenizer_of_another_training(model: Path) -> None:
    """They belong together, but not to the model."""
    tokenizer_of_another_training(model)
    shutil.copy(model.parent / "other" / SHARED_NAME, model)


def model_of_another_training(model: Path) -> None:
    other = make(model.parent / "more", [*TEXTS[::-1], "chat that"])
    shutil.copy(other / "model.pt", model)


@pytest.mark.parametrize(
    ("attack", "made_with_another", "named"),
    [
        (reversed_vocabulary, "source vocabulary", ("model.pt", SHARED_NAME)),
        (two_tokens_swapped, "source vocabulary", ("model.pt", SHARED_NAME)),
        (longer_vocabulary, "source vocabulary", ("model.pt", SHARED_NAME)),
        (shorter_vocabulary, "source vocabulary", ("model.pt", SHARED_NAME)),
        (another_family, "tokenizer", (SHARED_NAME, "tokenizer")),
        (another_kind_in_the_configuration, "tokenizer", (SHARED_NAME, "tokenizer")),
        (lowercase, "tokenizer", (SHARED_NAME, "tokenizer")),
        (truncation, "tokenizer", (SHARED_NAME, "tokenizer")),
        (padding, "tokenizer", (SHARED_NAME, "tokenizer")),
        (merges_in_another_order, "tokenizer", (SHARED_NAME, "tokenizer")),
        (tokenizer_of_another_training, "tokenizer", (SHARED_NAME, "tokenizer")),
        (vocabulary_and_tokenizer_of_another_training, "tokenizer", ("model.pt", SHARED_NAME)),
        (model_of_another_training, "tokenizer", ("model.pt", SHARED_NAME)),
    ],
)
def test_parts_of_another_model_are_refused_by_both_names(
    model: Path, attack: Callable[[Path], None], made_with_another: str, named: tuple[str, str]
) -> None:
    assert CliRunner().invoke(main, ["translate", "the cat", "--model", str(model)]).exit_code == 0
    attack(model)
    result = CliRunner().invoke(main, ["translate", "the cat", "--model", str(model)])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    first, second = (model / name for name in named)
    assert line == (
        f"error: {first}: was made with another {made_with_another} than that of {second}; they do not belong "
        "together; copy or fetch the folder of the model again"
    )


def other_counts(model: Path) -> None:
    rewrite(model / SHARED_NAME, lambda tokens, counts: (tokens, [7 * count for count in counts]))


def json_in_another_layout(model: Path) -> None:
    path = model / "tokenizer/shared/tokenizer.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({name: values[name] for name in sorted(values, reverse=True)}, indent=7))
    path = model / "tokenizer/config.json"
    path.write_text(json.dumps(json.loads(path.read_text())))


def other_files_beside(model: Path) -> None:
    (model / "tokenizer/shared/README.md").write_text("notes")
    (model / "tokenizer/.DS_Store").touch()


def older_files(model: Path) -> None:
    for path in model.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o755)


def moved(model: Path) -> None:
    model.rename(model.with_name("moved"))
    model.symlink_to("moved")


def of_an_older_version(model: Path) -> None:
    """Such artifacts keep no fingerprints: nothing can be compared."""
    old = Vocabulary.load(model / SHARED_NAME)
    old.save(model / SHARED_NAME)
    file = read_tensors(model / "model.pt")
    metadata = {name: value for name, value in file.metadata.items() if name not in ("made_with", "fingerprint")}
    tensors = {name: tensor.clone() for name, tensor in file.tensors.items()}
    write_tensors(model / "model.pt", "model", tensors, metadata)


@pytest.mark.parametrize(
    "change", [other_counts, json_in_another_layout, other_files_beside, older_files, moved, of_an_older_version]
)
def test_what_changes_no_translation_is_accepted(model: Path, change: Callable[[Path], None]) -> None:
    before = Translator.load(model).nbest(["the cat", "a hat"], number=2)
    change(model)
    assert Translator.load(model).nbest(["the cat", "a hat"], number=2) == before


def test_a_longer_vocabulary_is_seen_without_fingerprints(model: Path) -> None:
    of_an_older_version(model)
    longer_vocabulary(model)
    with pytest.raises(StageformerError, match=r"model.pt: has \d+ source embeddings, but the vocab"):
        Translator.load(model)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Vocabularies, Vocabularies]:
    """The vocabularies of two runs, of the same size."""
    ours = make_vocabularies(tmp_path / "ours")
    theirs = make_vocabularies(tmp_path / "theirs", [text[::-1] for text in TEXTS])
    assert len(ours.source) == len(theirs.source)
    return ours, theirs


def refused(by: str, kept_in: str, run: Callable[[], object]) -> None:
    with pytest.raises(StageformerError, match=rf"{kept_in}: was made with another (tokenizer|source vocab\w+) .*{by}"):
        run()


def test_embeddings(tmp_path: Path, two: tuple[Vocabularies, Vocabularies]) -> None:
    ours, theirs = two
    params = parse(Embed, PARAMS["embed"] | {"d_model": 8, "max_length": 16}, "embed")
    save_embeddings(tmp_path, make_embeddings(params, ours)[0])
    load_embeddings(tmp_path, ours)
    refused(r"theirs/vocabulary\.parquet", r"embedding\.pt", lambda: load_embeddings(tmp_path, theirs))
    save_embeddings(tmp_path / "longer", make_embeddings(params.model_copy(update={"max_length": 17}), ours)[0])
    shutil.copy(tmp_path / "longer/positions.pt", tmp_path)
    with pytest.raises(StageformerError, match=r"positions\.pt: is of another run than .*embedding\.pt"):
        load_embeddings(tmp_path, ours)


def test_a_trained_encoder(tmp_path: Path, two: tuple[Vocabularies, Vocabularies]) -> None:
    from stageformer.memory.encoding import open_source

    ours, theirs = two
    make_model(tmp_path / "encoder.pt", ours, "encoder")
    load_model(tmp_path / "encoder.pt", "encoder", ours)
    open_source(tmp_path / "encoder.pt", 0, torch.device("cpu"), ours.parts)
    for load in (
        lambda: load_model(tmp_path / "encoder.pt", "encoder", theirs),
        lambda: open_source(tmp_path / "encoder.pt", 0, torch.device("cpu"), theirs.parts),
    ):
        refused(r"theirs/vocabulary\.parquet", r"encoder\.pt", load)


def test_a_table_of_ids(tmp_path: Path, two: tuple[Vocabularies, Vocabularies]) -> None:
    from stageformer.batching.pairs import read_pairs

    ours, theirs = two
    table = {"id": [1], "source_ids": [[5, 2]], "target_ids": [[1, 5, 2]]}
    write_table(tmp_path / "train.parquet", "ids", [table], ours.parts)
    assert len(read_pairs(tmp_path / "train.parquet", ours)) == 1
    refused(r"theirs/vocabulary\.parquet", r"train\.parquet", lambda: read_pairs(tmp_path / "train.parquet", theirs))


def test_a_table_of_tokens(tmp_path: Path, two: tuple[Vocabularies, Vocabularies]) -> None:
    from stages.vocab import main as vocab

    values = {"vocab": PARAMS["vocab"] | {"min_frequency": 1}, "compute": PARAMS["compute"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    table = {"id": [1], "source_tokens": [["a"]], "target_tokens": [["a"]]}
    options = [f"--{name}={tmp_path / place}" for name, place in
               {"params": "params.yaml", "tokenize": "ours", "output": "vocab", "reports": "reports"}.items()]
    ours, theirs = load_tokenizers(tmp_path / "ours/tokenizer"), load_tokenizers(tmp_path / "theirs/tokenizer")
    for maker, expected in ((ours, 0), (theirs, 2)):
        for split in ("train", "valid", "test"):
            write_table(tmp_path / "ours" / f"{split}.parquet", "tokens", [table], maker.parts)
        result = CliRunner().invoke(vocab, options)
        assert result.exit_code == expected, result.stderr
    assert f"{tmp_path}/ours/train.parquet: was made with another tokenizer than that of " in result.stderr


def test_an_export_to_ctranslate2_of_another_model(model: Path) -> None:
    pytest.importorskip("ctranslate2")
    from stageformer.export.ctranslate2_model import save_ctranslate2

    found = Translator.load(model)
    save_ctranslate2(found.model, found.vocabularies, model.parent / "ctranslate2", quantization="int8")
    Translator.load(model, engine="ctranslate2")
    with torch.no_grad():
        next(found.model.decoder.parameters()).mul_(1.5)
    save_ctranslate2(found.model, found.vocabularies, model.parent / "ctranslate2", quantization="int8")
    with pytest.raises(StageformerError, match=r"ctranslate2: was made with another model than that of .*model\.pt"):
        Translator.load(model, engine="ctranslate2")


@pytest.mark.parametrize("kind", kinds("stageformer.text.tokenizers"))
def test_the_fingerprint_of_a_tokenizer_is_of_all_that_it_saves(tmp_path: Path, kind: str) -> None:
    options = family(kind) if kind != "pretrained" else None
    if options is None:  # it reads what another family has saved
        save_tokenizers(train_tokenizers(TEXTS, TEXTS, family(), None), tmp_path / "bpe")
        options = family(kind, path=str(tmp_path / "bpe/shared"))
    trained = train_tokenizers(TEXTS, TEXTS, options, options)
    saved = save_tokenizers(trained, tmp_path / "one")
    files = {path.name for path in (tmp_path / "one/source").rglob("*") if path.is_file()}
    assert files == set(trained.source.files)
    loaded = load_tokenizers(tmp_path / "one")
    again = save_tokenizers(loaded, tmp_path / "two")
    fingerprints = {its.parts["tokenizer"][0] for its in (saved, loaded, again)}
    assert len(fingerprints) == 1
