import csv
import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from stageformer.artifacts.tables import read_table, write_table
from stageformer.cli import main as stageformer
from stages.evaluate import main

PICTURES = {"cross", "cross-heads", "decoder", "encoder"}


@pytest.fixture
def run(root, monkeypatch, set_group):
    """A function that runs the stage with some parameters of its group changed."""
    monkeypatch.chdir(root)

    def evaluate(**changes):
        set_group(root, "evaluate", **changes)
        return CliRunner().invoke(main, [])

    return evaluate


def contents(root):
    paths = [path for part in ("data/evaluate", "reports") for path in sorted((root / part).rglob("*"))]
    # cost.json holds seconds, and is no output of the stage.
    files = (path for path in paths if path.is_file() and path.name != "cost.json")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture
def root(translated_root, tmp_path):
    return shutil.copytree(translated_root, tmp_path / "root")


def as_frame(text):
    content = json.loads(text)
    return {"data": content["sentences"], "columns": content["columns"]}


def test_the_stage_writes_what_it_says(root, run):
    result = run(num_pictures=1)
    assert result.exit_code == 0, result.output

    found = json.loads((root / "reports/evaluate/metrics.json").read_text())
    assert (found["split"], found["sentences"], found["references"]) == ("test", 40, 54)
    assert found["beam"]["bleu"] > 70 > 5 > found["copy_source"]["bleu"]
    assert found["beam"]["exact_match"] > 60
    assert found["greedy"]["chrf"] > 80
    assert found["beam"]["ter"] < 20 < 90 < found["copy_source"]["ter"]
    assert 1 < found["perplexity"] < 1.2
    assert "nrefs:var" in found["bleu_signature"]

    table = pd.read_parquet(root / "data/evaluate/translations.parquet")
    assert list(table["id"]) == list(range(100, 140))
    assert table["exact_match"].mean() * 100 == found["beam"]["exact_match"]
    assert (table["score"] < 0).all()
    sources = read_table(root / "data/ingest/test.parquet", "sentences").to_pydict()["source"]
    assert list(table["source"]) == sources
    kept = (root / "reports/evaluate/translations.json").read_text()
    assert len(kept.splitlines()) == 43, "a sentence a line, for git"
    for name, column in pd.DataFrame(**as_frame(kept)).items():
        if name == "rarest_word":
            # train holds the sentences of test: none has a word that is not in it.
            assert set(column) <= {"001", "002-004", "005-009", "010-099", "100+"}
        elif column.dtype == float:
            assert list(column) == pytest.approx(list(table[name]), abs=1e-4)
        else:
            assert list(map(list, column)) == list(map(list, table[name])) if name == "references" else (
                list(column) == list(table[name])
            )

    rows = list(csv.DictReader((root / "reports/evaluate/by_length.csv").open()))
    assert sum(int(row["sentences"]) for row in rows) == 40
    assert [row["source_words"] for row in rows] == ["01", "02", "03-04", "05-08"]
    rows = list(csv.DictReader((root / "reports/evaluate/by_rarest_word.csv").open()))
    # train holds the sentences of test.
    assert "000" not in {row["occurrences"] for row in rows}
    assert sum(int(row["sentences"]) for row in rows) == 40
    pictures = list((root / "reports/evaluate/attention").iterdir())
    assert len(pictures) == 4
    assert {path.stem.split("-", 1)[1] for path in pictures} == PICTURES


def test_the_same_inputs_give_the_same_bytes_and_old_pictures_go(root, run):
    run(num_pictures=1)
    first = contents(root)
    (root / "reports/evaluate/attention/7-cross.png").write_bytes(b"of an earlier run")
    shutil.rmtree(root / "data/evaluate")
    run()
    assert contents(root) == first


def test_scores_without_regard_to_case(root, run):
    result = run(lowercase="true", num_pictures=0)
    assert result.exit_code == 0, result.output
    found = json.loads((root / "reports/evaluate/metrics.json").read_text())
    assert "case:lc" in found["bleu_signature"]


def test_scores_of_phonemes_and_of_older_papers_are_reported_and_shown(root, run):
    result = run(moses_language="de", phonemes="true", num_pictures=0)
    assert result.exit_code == 0, result.output
    found = json.loads((root / "reports/evaluate/metrics.json").read_text())
    assert "case:lc|eff:no|tok:moses-de" in found["bleu_tokenized_lowercased_signature"]
    # Number words: no case in one reference, no punctuation, nothing to tokenise.
    assert found["beam"]["bleu_tokenized_lowercased"] >= found["beam"]["bleu"]
    assert found["beam"]["wer"] == pytest.approx(100 - found["beam"]["exact_match"])
    assert 0 < found["beam"]["per"] < found["beam"]["wer"] < 40
    printed = CliRunner().invoke(stageformer, ["summary", "--examples", "1"]).stdout
    for label in ("BLEU tokenized, lower-cased", "PER %", "WER %", "repetition %"):
        assert label in printed


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "data/train_decoder/model.pt").unlink(), "model.pt: no such file"),
        (lambda root: (root / "data/vocab/test.parquet").write_bytes(b"PAR1"), "test.parquet: not a readable Parquet"),
        (lambda root: (root / "reports/translate/metrics.json").unlink(), "metrics.json: no such file"),
        (lambda root: (root / "reports/translate/metrics.json").write_text("{}"), "not the metrics of the stage"),
        (lambda root: (root / "data/translate/hypotheses.parquet").unlink(), "`dvc repro --force translate`"),
    ],
)
def test_bad_input_is_one_line(root, run, damage, message):
    damage(root)
    result = run()
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (root / "reports/evaluate").exists()


@pytest.mark.parametrize(("path", "kind"), [("data/vocab/test", "ids"), ("data/translate/hypotheses", "hypotheses")])
def test_tables_of_different_sentences_are_an_error(root, run, path, kind):
    from stageformer.artifacts.tables import write_table

    table = read_table(root / f"{path}.parquet", kind).slice(1)
    write_table(root / f"{path}.parquet", kind, table.to_batches())
    result = run()
    assert result.exit_code == 2
    assert "other sentences" in result.stderr


def test_summary_shows_scores_and_translations_within_100_columns(root, run):
    run(num_pictures=0)
    result = CliRunner().invoke(stageformer, ["summary", "--examples", "5"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("  source ") == 5
    assert "copied source" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    printed = json.loads(CliRunner().invoke(stageformer, ["summary", "--examples", "5", "--json"]).stdout)
    assert printed["metrics"] == json.loads((root / "reports/evaluate/metrics.json").read_text())
    kept = as_frame((root / "reports/evaluate/translations.json").read_text())
    rows = [kept["data"][row] for row in (4, 12, 20, 28, 36)]
    assert printed["translations"] == [dict(zip(kept["columns"], row, strict=True)) for row in rows]
    (root / "reports/evaluate/metrics.json").write_text('{"sentences": 3}')
    result = CliRunner().invoke(stageformer, ["summary"])
    assert result.exit_code == 2
    assert "metrics.json" in result.stderr


def test_a_translation_longer_than_the_model_makes_is_refused(root, run):
    path = root / "data/translate/hypotheses.parquet"
    rows = read_table(path, "hypotheses").to_pydict()
    rows["greedy_ids"][3] = [5] * 1_000
    write_table(path, "hypotheses", [rows])
    result = run(num_pictures=0)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert "greedy_ids has a translation of 1,000 tokens, and the model makes at most" in result.stderr
