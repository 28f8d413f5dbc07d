"""The tokenizer ``cut`` with every cutter and every kind of subwords; what its folder may and may not do."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer import errors
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.choices import kinds
from stageformer.params.groups import check
from stageformer.params.reading import read_yaml
from stageformer.params.tokenize import Tokenize
from stageformer.provenance.needs import check_packages
from stageformer.text.cutters.base import Cutter
from stageformer.text.cutting import check_cutters, cutter_class
from stageformer.text.form import Form
from stageformer.text.pair import Tokenizers, load_tokenizers, save_tokenizers, train_tokenizers
from stageformer.text.tokenizers.cut import CutTokenizer
from tests.families import family, values
from tests.text.cutters.conftest import write_punkt

WITH_MODELS = ["corenlp", "stanza"]  # which no package brings
CUTTERS = [name for name in kinds("stageformer.text.cutters") if name not in WITH_MODELS]
SUBWORDS = ["none", "bpe", "unigram", "wordpiece"]
CORPUS = [
    "Turn on the lights in the kitchen.", "Schalte bitte das Licht in der Küche aus!",
    "The device isn't available (yet).",
    "He said: \"Don't go to www.example.com, Dr. Smith!\" It cost $3.50 (or 1,000). ##a # ▁ ␛ <unk>",
]  # fmt: skip

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("aAbtT .,!?'\"()<>▁␛_#İẞΣ\u0301\u200d漢か🎉\n\t\u3000\u00a0"), max_size=30),
    st.lists(st.sampled_from(["##a", "##", "▁", "␛_", "don't", "``", "&amp;", "1,0.5", ":-)", "<unk>"])).map(" ".join),
)  # fmt: skip


@pytest.fixture(scope="session")
def punkt(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_punkt(tmp_path_factory.mktemp("punkt")))


def options(cutter: str, subwords: str = "none", path: str | None = None, **changes: object):  # type: ignore[no-untyped-def]
    size = None if subwords == "none" else 60
    return family("cut", cutter=cutter, language="en", path=path, subwords=subwords, vocabulary_size=size, **changes)


@functools.cache
def trained(cutter: str, subwords: str = "none", path: str | None = None) -> CutTokenizer:
    return CutTokenizer.train(CORPUS, options(cutter, subwords, path))


def path_of(cutter: str, punkt: str) -> str | None:
    return punkt if cutter in ("nltk_punkt", "textblob") else None


@pytest.mark.parametrize("cutter", CUTTERS)
@settings(max_examples=40, deadline=None)
@given(text=TEXT)
@example(" a  b\u00a0c \t")
@example("")
@example("İSTANBUL ΟΔΟΣ a1b _x_")
def test_exact_or_cut_into_the_same_tokens_again(cutter: str, punkt: str, text: str) -> None:
    tokenizer = trained(cutter, path=path_of(cutter, punkt))
    (tokens,) = tokenizer.encode_batch([text])
    decoded = tokenizer.decode(tokens)
    if tokenizer.exact:
        assert decoded == text
    assert tokenizer.encode_batch([decoded]) == [tokens]
    assert tokenizer.exact == (not cutter_class(cutter).lost)


@pytest.mark.parametrize("cutter", ["nltk", "gensim"])
@pytest.mark.parametrize("subwords", SUBWORDS[1:])
@settings(max_examples=60, deadline=None)
@given(text=TEXT)
@example("##a x ## #a ␛# ▁#")
@example('"##a"##b')
def test_subwords_keep_what_the_words_keep(cutter: str, subwords: str, text: str) -> None:
    tokenizer = trained(cutter, subwords)
    (tokens,) = tokenizer.encode_batch([text])
    assert tokenizer.decode(tokens) == trained(cutter).decode(trained(cutter).encode_batch([text])[0])
    assert "" not in tokens


@pytest.mark.parametrize("subwords", SUBWORDS[1:])
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from(sorted(set("".join(CORPUS)))), max_size=20))
def test_seen_characters_are_known_wherever_they_stand(subwords: str, text: str) -> None:
    tokenizer = trained("nltk", subwords)
    assert set(tokenizer.encode_batch([text])[0]) <= set(tokenizer.learnt)


@pytest.mark.parametrize("subwords", SUBWORDS)
def test_no_piece_reaches_over_the_end_of_a_word(subwords: str) -> None:
    text = CORPUS[2]
    (pieces,), (words,) = trained("nltk", subwords).encode_batch([text]), trained("nltk").encode_batch([text])
    assert words == ["▁The", "▁device", "▁is", "n't", "▁available", "▁(", "yet", ")", "."]
    for word in words:
        made = ""
        while made != word:
            made += pieces.pop(0).removeprefix("##")
            assert word.startswith(made)
    assert pieces == []


@pytest.mark.parametrize("subwords", SUBWORDS)
def test_saved_and_loaded(subwords: str, tmp_path: Path) -> None:
    made = trained("spacy", subwords)
    save_tokenizers(Tokenizers(made, made, joint=True), tmp_path)
    loaded = load_tokenizers(tmp_path).source
    assert loaded.encode_batch(CORPUS) == made.encode_batch(CORPUS)
    assert (loaded.size, loaded.learnt, loaded.exact, loaded.versions) == (made.size, made.learnt, True, made.versions)
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == sorted(made.files)


def test_another_version_is_a_warning_that_names_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained("spacy")
    save_tokenizers(Tokenizers(made, made, joint=True), tmp_path)
    load_tokenizers(tmp_path)
    assert capsys.readouterr().err == ""
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    here = config["source"]["versions"]["spacy"]
    config["source"]["versions"]["spacy"] = "3.7.0"
    path.write_text(json.dumps(config))
    load_tokenizers(tmp_path)
    assert f"were cut by spacy 3.7.0; this is {here}, which may cut differently" in capsys.readouterr().err


def test_what_is_lost_is_said() -> None:
    assert trained("gensim").remark.endswith("; lost: digits and punctuation marks")
    assert "lost" not in trained("nltk").remark


def test_a_split_without_words() -> None:
    with pytest.raises(StageformerError, match="the cutter gensim finds no words in the training split"):
        CutTokenizer.train(["1 2 3"], options("gensim", "bpe"))


# -- What a folder names is not followed.

MODULE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
def cut(text):
    return text.split()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a tokenizer that names a function, whose module says that it ran."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    name = f"words_of_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    made = CutTokenizer.train(CORPUS, options(f"{name}:cut"))
    save_tokenizers(Tokenizers(made, made, joint=True), tmp_path / "tokenizer")
    monkeypatch.delitem(__import__("sys").modules, name)
    (tmp_path / "ran").unlink()
    return tmp_path


def named(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "tokenizer/shared/cutter.json").read_text())
    side = {"kind": "cut", "cutter": config["cutter"], "path": config["path"]} | changes
    (folder / "params.yaml").write_text(json.dumps({"tokenize": {"source": side, "target": None}}))


def test_a_function_that_a_folder_names_is_not_called(mine: Path) -> None:
    loaded = load_tokenizers(mine / "tokenizer").source
    assert loaded.decode(["▁a", "▁b"]) == "a b", "which needs no function"
    assert loaded.versions == {}
    (mine / "dvc.yaml").touch()
    for changes in ({"cutter": "other:cut"}, {"kind": "word"}, {"path": "x"}):
        named(mine, **changes)
        with pytest.raises(StageformerError) as caught:
            load_tokenizers(mine / "tokenizer").source.encode_batch(["a b"])
        assert "cutter.json: names words_of_" in str(caught.value)
        assert "is not followed, unless the params.yaml of a repository" in str(caught.value)
    (mine / "dvc.yaml").unlink()
    named(mine)
    with pytest.raises(StageformerError, match="is not followed"):
        load_tokenizers(mine / "tokenizer").source.encode_batch(["a b"])
    assert not (mine / "ran").exists()


def test_a_function_that_the_parameters_of_the_repository_name_is_called(mine: Path) -> None:
    (mine / "dvc.yaml").touch()
    named(mine)
    assert load_tokenizers(mine / "tokenizer").source.encode_batch(["a b"]) == [["▁a", "▁b"]]
    assert (mine / "ran").exists()


@pytest.mark.parametrize("cutter", WITH_MODELS)
def test_a_path_that_a_folder_names_is_not_followed(
    cutter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold code: the jars of CoreNLP, the files that torch reads for Stanza."""
    opened: list[str] = []
    monkeypatch.setattr(cutter_class(cutter), "__init__", lambda self, options: opened.append(cutter))
    config = {"cutter": cutter, "language": "en", "path": str(tmp_path), "subwords": "none", "lost": ""}
    (tmp_path / "cutter.json").write_text(json.dumps(config))
    with pytest.raises(StageformerError, match=r"cutter\.json: names /.*, which may run code, and is not followed"):
        CutTokenizer.load(tmp_path, Form()).encode_batch(["a"])
    assert opened == []


@pytest.mark.parametrize(
    "changes", [{"cutter": 3}, {"subwords": "byte"}, {"path": 1}, {"lost": None}, {"cutter": "../../evil"}]
)
def test_a_damaged_description(tmp_path: Path, changes: dict[str, object]) -> None:
    config = {"cutter": "nltk", "language": "en", "path": None, "subwords": "none", "lost": ""} | changes
    (tmp_path / "cutter.json").write_text(json.dumps(config))
    with pytest.raises(StageformerError, match=r"cutter\.json: .*make it again with `dvc repro --force tokenize`"):
        CutTokenizer.load(tmp_path, Form())


# -- Parameters.


def parsed(**changes: object) -> Tokenize:
    return parse(Tokenize, {"source": values("cut", **changes), "target": None}, "tokenize")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutter": "spacey"}, "found 'spacey' (did you mean 'spacy'?); needed one of corenlp, "),
        ({"subwords": "none"}, "subwords is 'none', which needs vocabulary_size null"),
        ({"vocabulary_size": None}, "subwords is 'bpe', which needs vocabulary_size a number"),
    ],
)
def test_impossible_parameters(changes: dict[str, object], message: str) -> None:
    with pytest.raises(StageformerError) as caught:
        parsed(**changes)
    assert message in str(caught.value)
    assert "tokenize.source" in str(caught.value)


def test_check_asks_the_cutter() -> None:
    check_cutters(parsed(cutter="spacy", language="de"))
    for changes, message in (
        ({"cutter": "spacy"}, r"^tokenize\.source\.cutter: the cutter spacy needs a language and got null"),
        ({"cutter": "nope:cut"}, r"^tokenize\.source\.cutter: nope:cut: the module nope cannot be imported"),
        ({"cutter": "stanza", "language": "de", "path": "/nowhere"}, "stanza needs its models"),
    ):
        with pytest.raises(StageformerError, match=message):
            check_cutters(parsed(**changes))


EXTRA = {
    "corenlp": ("stanza", "stanza"), "gensim": ("gensim", "gensim"), "gensim_simple": ("gensim", "gensim"),
    "keras": ("keras", "keras"), "moses": ("sacremoses", "scoring"), "nltk": ("nltk", "nltk"),
    "nltk_punkt": ("nltk", "nltk"), "nltk_toktok": ("nltk", "nltk"), "nltk_treebank": ("nltk", "nltk"),
    "nltk_tweet": ("nltk", "nltk"), "nltk_wordpunct": ("nltk", "nltk"), "pyonmttok": ("pyonmttok", "pyonmttok"),
    "spacy": ("spacy", "spacy"), "stanza": ("stanza", "stanza"), "textblob": ("textblob", "textblob"),
}  # fmt: skip
"""The package that each cutter needs, and the extra that brings it."""


@pytest.mark.parametrize("cutter", kinds("stageformer.text.cutters"))
def test_a_missing_package_is_one_line_that_names_the_extra(cutter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, extra = EXTRA[cutter]
    find = errors.find_spec
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else find(name))
    found = read_yaml(Path(__file__).parents[3] / "recipes/default.yaml")
    found["tokenize"] = {"source": values("cut", cutter=cutter, language="en"), "target": None}
    message = f"the package {package} is not installed; run `pip install 'stageformer[{extra}]'`"
    with pytest.raises(StageformerError) as caught:
        check_packages(found)
    assert str(caught.value) == f"params: tokenize.source.cutter '{cutter}': {message}"
    with pytest.raises(StageformerError) as caught:
        CutTokenizer.train(CORPUS, options(cutter))
    assert str(caught.value) == message


@pytest.mark.parametrize(("language", "package"), [("ja", "sudachipy"), ("th", "pythainlp")])
def test_a_language_of_spacy_without_its_package(
    language: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = errors.find_spec
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(StageformerError) as caught:
        check_cutters(parsed(cutter="spacy", language=language))
    assert str(caught.value).endswith(f"{package} is not installed; run `pip install 'stageformer[spacy-{language}]'`")


def test_the_export_to_hugging_face_is_refused() -> None:
    found = read_yaml(Path(__file__).parents[3] / "recipes/default.yaml")
    found["tokenize"] = {"source": values("cut"), "target": None}
    with pytest.raises(StageformerError, match=r"formats has huggingface, but tokenize\.source\.kind 'cut' cannot"):
        check(found)
    found["export"]["formats"] = ["ctranslate2"]
    check(found)


def test_every_cutter_has_the_interface() -> None:
    for name in kinds("stageformer.text.cutters"):
        found = cutter_class(name)
        assert issubclass(found, Cutter)
        assert found.distributions or name == "spacy"


def test_joint_and_on_each_side() -> None:
    joint = train_tokenizers(CORPUS, CORPUS, options("nltk", "bpe"), None)
    assert joint.source is joint.target
    sides = train_tokenizers(CORPUS, CORPUS, options("nltk", "bpe"), options("spacy"))
    assert (sides.source.size, sides.target.size) == (60, None)
