import json
import shutil

import pytest
from click.testing import CliRunner

from stageformer.artifacts.files import write_json
from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.reading import read_yaml
from stageformer.params.translate import Translate
from stageformer.translator.model_folder import save_model_folder
from stageformer.translator.translator import Translator

SENTENCES = ["two and five", "one", "", "six six three and four"]


def save(toy_root, folder):
    save_model_folder(
        folder,
        model=toy_root / "data/train_decoder/model.pt",
        tokenizers=toy_root / "data/tokenize/tokenizer",
        vocabularies=toy_root / "data/vocab",
        params=parse(Translate, read_yaml(toy_root / "params.yaml")["translate"], "translate"),
    )


@pytest.fixture
def exported(toy_root, tmp_path):
    save(toy_root, tmp_path / "my-model/stageformer")
    return tmp_path / "my-model"


PARTS = ("model.pt", "tokenizer/config.json", "vocabulary.parquet", "translator.json")


@pytest.mark.parametrize("damage", ["cut", "gone", "foreign"])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_part_is_to_be_fetched_again_not_made_by_a_pipeline(exported, part, damage):
    path = exported / "stageformer" / part
    assert path.is_file()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"{}" if damage == "foreign" else path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StageformerError) as caught:
        Translator.load(exported)
    message = str(caught.value)
    if (part, damage) == ("translator.json", "gone"):  # which makes it no exported model
        assert "neither a repository of Stageformer nor a model" in message
    else:
        assert message.startswith(str(exported))
        assert message.endswith("; copy or fetch the folder of the model again")
    assert "dvc repro" not in message
    assert "\n" not in message


def test_an_engine_that_was_not_exported(exported):
    pytest.importorskip("ctranslate2")
    with pytest.raises(StageformerError, match=r"no model of CTranslate2 \(see export\.formats\); copy or fetch"):
        Translator.load(exported, engine="ctranslate2")


@pytest.mark.parametrize("place", ["", "stageformer"])
def test_an_exported_model_translates_as_the_repository_does(toy_root, exported, place):
    ours, theirs = Translator.load(toy_root), Translator.load(str(exported / place), threads=1)
    assert theirs.params == ours.params
    assert theirs.nbest(SENTENCES, number=3) == ours.nbest(SENTENCES, number=3)
    assert theirs.score(["one"], ["eins"]) == ours.score(["one"], ["eins"])


def test_the_command_translates_with_it_anywhere(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["translate", "--model", "my-model", "two and five"])
    assert (result.exit_code, result.stdout) == (0, "zwei und fünf\n")
    result = CliRunner().invoke(main, ["explain", "--model", "my-model", "two", "--kind", "cross", "--output", "a.svg"])
    assert (result.exit_code, result.stdout) == (0, "a.svg\n")
    result = CliRunner().invoke(main, ["translate", "--model", "my-model", "--root", ".", "two"])
    assert result.exit_code == 2
    assert "give --model or --root, not both" in result.stderr


def test_the_same_parts_give_the_same_bytes(toy_root, exported, tmp_path):
    save(toy_root, tmp_path / "again/stageformer")
    save(toy_root, tmp_path / "again/stageformer")
    for folder in (exported, tmp_path / "again"):
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        parts = ("model.pt", "tokenizer/config.json", "translator.json", "vocabulary.parquet")
        assert names == [f"stageformer/{part}" for part in parts]
    for name in names:
        assert (exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_what_is_not_a_model_is_reported(toy_root, exported, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, message in (
        (tmp_path / "nowhere", "nowhere: no such folder"),
        (tmp_path / "empty", "empty: neither a repository of Stageformer nor a model that `stageformer export` wrote"),
    ):
        with pytest.raises(StageformerError, match=message):
            Translator.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "translator.json: found schema version 2, needed 1"),
        ({"kind": "card"}, "found an artifact of kind 'card', needed kind 'translator'"),
        ({"translate": {}}, "translate.split is missing"),
    ],
)
def test_a_damaged_header_is_one_line(exported, change, message):
    path = exported / "stageformer/translator.json"
    write_json(path, json.loads(path.read_text()) | change)
    with pytest.raises(StageformerError, match=message):
        Translator.load(exported)


@pytest.mark.parametrize("part", ["model.pt", "tokenizer"])
def test_a_missing_part_is_named(exported, part):
    path = exported / "stageformer" / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    message = f"{part}: missing from the exported model; copy or fetch the folder of the model again"
    with pytest.raises(StageformerError, match=message):
        Translator.load(exported)


def test_without_an_export_to_the_engine_the_message_says_what_to_run(exported):
    pytest.importorskip("ctranslate2")
    with pytest.raises(StageformerError, match="my-model/ctranslate2: holds no model of CTranslate2"):
        Translator.load(exported, engine="ctranslate2")
