"""The tokenizers of both sides and their folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers

from stageformer.errors import StageformerError
from stageformer.params.choices import kinds
from stageformer.text.pair import Tokenizers, load_tokenizers, save_tokenizers, train_tokenizers
from tests.families import family

KINDS = [kind for kind in kinds("stageformer.text.tokenizers") if kind != "pretrained"]  # it reads files
SOURCE = ["the lights are on", "the lights are off"]
TARGET = ["das Licht ist an", "das Licht ist aus"]


def train(kind: str = "bpe", joint: bool = True) -> Tokenizers:
    return train_tokenizers(SOURCE, TARGET, family(kind), None if joint else family(kind))


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded(kind: str, joint: bool, tmp_path: Path) -> None:
    made = train(kind, joint)
    save_tokenizers(made, tmp_path)
    loaded = load_tokenizers(tmp_path)
    assert loaded.joint == joint
    assert (loaded.source is loaded.target) == joint
    assert loaded.source.encode_batch(SOURCE) == made.source.encode_batch(SOURCE)
    assert loaded.target.encode_batch(TARGET) == made.target.encode_batch(TARGET)


def test_one_a_side_learns_from_its_side_alone() -> None:
    (joint,) = train().source.encode_batch(["Licht"])
    (source_only,) = train(joint=False).source.encode_batch(["Licht"])
    assert joint == ["▁Licht"]
    assert len(source_only) > 1


def test_each_side_its_own_family_and_form(tmp_path: Path) -> None:
    source, target = family("char", case="lower"), family(normalisation="nfkc")
    save_tokenizers(train_tokenizers(SOURCE, [*TARGET, "ﬁnal"], source, target), tmp_path)
    loaded = load_tokenizers(tmp_path)
    assert not loaded.joint
    assert loaded.source.encode_batch(["On ﬁ"]) == [["o", "n", " ", "ﬁ"]]
    assert loaded.target.kind == "bpe"
    assert loaded.target.encode_batch(["ﬁnal"]) == loaded.target.encode_batch(["final"]) == [["▁final"]]
    assert loaded.target.decode(["▁Licht"]) == "Licht"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "target"], "char writes nothing"


def test_another_version_is_a_warning_that_names_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tokenizers(train(), tmp_path)
    load_tokenizers(tmp_path)
    assert capsys.readouterr().err == ""
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    assert config["source"]["versions"] == {"tokenizers": tokenizers.__version__}
    config["source"]["versions"] = {"tokenizers": "0.1.2"}
    path.write_text(json.dumps(config))
    load_tokenizers(tmp_path)
    message = f"the texts of the source were cut by tokenizers 0.1.2; this is {tokenizers.__version__}, which may cut"
    assert message in " ".join(capsys.readouterr().err.split())


def test_folders(tmp_path: Path) -> None:
    save_tokenizers(train(), tmp_path / "joint")
    save_tokenizers(train(joint=False), tmp_path / "sides")
    save_tokenizers(train("char"), tmp_path / "char")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        "char/config.json",
        "joint/config.json",
        "joint/shared/tokenizer.json",
        "sides/config.json",
        "sides/source/tokenizer.json",
        "sides/target/tokenizer.json",
    ]
    save_tokenizers(train(), tmp_path / "sides")
    assert {path.name for path in (tmp_path / "sides").iterdir()} == {"config.json", "shared"}, "a side is left over"


def test_no_text() -> None:
    with pytest.raises(StageformerError, match="the target side of the training split holds no text"):
        train_tokenizers(SOURCE, ["", ""], family(), family())
    with pytest.raises(StageformerError, match="the source side of the training split holds no text"):
        train_tokenizers([""], SOURCE, family(), None)


def test_one_side_alone() -> None:
    assert train_tokenizers(SOURCE, [], family(), None).joint


def error(folder: Path) -> str:
    with pytest.raises(StageformerError) as caught:
        load_tokenizers(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_and_damaged_files_are_one_line(tmp_path: Path) -> None:
    assert "config.json: no such file" in error(tmp_path)
    save_tokenizers(train(), tmp_path)
    path = tmp_path / "shared" / "tokenizer.json"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "tokenizer.json: not a readable bpe tokenizer" in error(tmp_path)
    path.write_bytes(b"\xff\xfe")
    assert "tokenizer.json: not a readable bpe tokenizer" in error(tmp_path)
    path.unlink()
    assert "tokenizer.json: no such file" in error(tmp_path)
    assert error(tmp_path).endswith("make it again with `dvc repro --force tokenize`")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"kind": "bep", "case": "keep", "normalisation": "none"}},
         "unknown kind 'bep' of tokenizers (did you mean 'bpe'?)"),
        ({"source": {"kind": 3}}, "source needs 'kind' of type str"),
        ({"source": "bpe"}, "source needs 'kind' of type str"),
        ({"source": {"kind": "bpe", "case": "keep"}}, "source needs 'normalisation' of type str"),
        ({"schema_version": 99}, "found schema version 99, needed 1"),
    ],
)  # fmt: skip
def test_wrong_config(change: dict[str, object], message: str, tmp_path: Path) -> None:
    save_tokenizers(train(), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert message in error(tmp_path)
    path.write_text("[]")
    assert "needs 'source'" in error(tmp_path)
    path.write_text("{")
    assert "not readable as JSON" in error(tmp_path)
