"""``stageformer tokenize``: one sentence under several tokenizers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "light", "##s", "don", "'", "t"]


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n")
    return path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["tokenize", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_tokens_beside_ids_under_several_tokenizers(bert: Path) -> None:
    found = json.loads(run("Don't the Lights x", "--kind", "nltk", "--compare", f"bert={bert},char", "--json"))
    assert found["text"] == "Don't the Lights x"
    nltk, theirs, char = found["tokenizers"]
    assert (nltk["name"], nltk["tokens"], nltk["ids"]) == ("nltk", ["▁Do", "n't", "▁the", "▁Lights", "▁x"], None)
    assert theirs["tokens"] == ["don", "'", "t", "the", "light", "##s", "[UNK]"]
    assert theirs["ids"] == [VOCABULARY.index(token) for token in theirs["tokens"]]
    assert [each["exact"] for each in found["tokenizers"]] == [True, False, True]
    assert char["tokens"] == list("Don't the Lights x")


def test_the_table(bert: Path) -> None:
    lines = run("the lights", "--kind", "spacy", "--language", "de", "--compare", f"gensim,bert={bert}").splitlines()
    assert lines[0].split() == ["spacy", "gensim", "bert"]
    assert "spacy 3." in lines[1]
    assert "gensim 4." in lines[1]
    assert lines[2].split("  ")[-1] == "3 tokens, exact"
    assert [line.split() for line in lines[4:]] == [
        ["1", "▁the", "▁the", "the", "4"], ["2", "▁lights", "▁lights", "light", "5"], ["3", "##s", "6"],
    ]  # fmt: skip


def test_what_is_lost_is_shown() -> None:
    assert run("a 1, B", "--kind", "gensim").endswith("\n\ngensim gives back: a B\n")


def test_bert_comes_from_the_cache_of_the_hub(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tokenizers
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    result = CliRunner().invoke(main, ["tokenize", "the", "--kind", "bert"])
    assert result.exit_code == 2
    assert "run `hf download google-bert/bert-base-uncased tokenizer.json`, or give bert=PATH" in result.stderr
    folder = tmp_path / "models--google-bert--bert-base-uncased"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    tokenizers.BertWordPieceTokenizer(str(bert)).save(str(snapshot / "tokenizer.json"))
    assert json.loads(run("the", "--kind", "bert", "--json"))["tokenizers"][0]["ids"] == [4]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("spacey", "unknown tokenizer 'spacey' (did you mean 'spacy'?); known: corenlp, gensim, "),
        ("bpe", "the tokenizer bpe learns its tokens or reads them from files: give bpe=PATH"),
        ("spacy", "the cutter spacy needs a language and got null"),
        ("nothing_here:cut", "the module nothing_here cannot be imported"),
        ("bert=/nowhere", "/nowhere: no such file or folder"),
        ("", "found '', which names no tokenizer"),
        ("bpe=", "found 'bpe=', which names no tokenizer"),
        ("keras=/tmp", "the path /tmp has no effect on keras, which needs no data"),
        ("sys:exit", "the cutter sys:exit failed on the text 'x': SystemExit: x"),
        ("nltk_punkt", "set `language` in params.yaml, or --language of `stageformer tokenize`"),
        ("textblob=/nowhere", "in /nowhere; no package brings it: run `python -m nltk.downloader -d FOLDER punkt_tab`"),
        ("textblob=/nowhere", "or write textblob=FOLDER in `stageformer tokenize`"),
    ],
)
def test_mistakes_are_one_line(kind: str, message: str) -> None:
    result = CliRunner().invoke(main, ["tokenize", "x", "--kind", kind])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr


@pytest.mark.parametrize("kind", ["char", "nltk", "keras", "textblob=/nowhere"])
def test_a_language_that_nothing_knows_is_refused(kind: str) -> None:
    result = CliRunner().invoke(main, ["tokenize", "x", "--kind", kind, "--language", "de"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no language has an effect" in result.stderr


def test_a_language_is_taken_beside_a_path(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["tokenize", "x", "--kind", f"nltk_punkt={tmp_path}", "--language", "de"])
    assert f"there is no tokenizers/punkt_tab/german in {tmp_path}" in result.stderr


def test_what_nltk_warns_of_is_part_of_the_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    result = subprocess.run(
        [sys.executable, "-m", "stageformer.cli", "tokenize", "x", "--kind", f"textblob={tmp_path}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "NLTK will not read data" in result.stderr


def test_the_tokenizers_of_a_run_cut_as_the_run_does(toy_root: Path) -> None:
    table = run("two and", "--kind", f"bpe={toy_root}/data/tokenize/tokenizer", "--compare", "word, char")
    assert [line.split() for line in table.splitlines()[2:3]] == [
        ["7", "tokens,", "exact", "2", "tokens,", "exact", "7", "tokens,", "exact"]
    ]


def test_only_what_is_named_is_imported() -> None:
    code = (
        "import sys; from stageformer.cli import main\n"
        "try: main(['tokenize', 'a b', '--kind', 'nltk_wordpunct'])\n"
        "except SystemExit: print(sorted({'spacy', 'gensim', 'keras', 'stanza', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
