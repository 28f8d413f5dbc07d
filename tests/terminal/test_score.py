import gzip
import json

import pytest
import sacrebleu
from click.testing import CliRunner

from stageformer.artifacts.files import write_json
from stageformer.artifacts.tables import write_table
from stageformer.cli import main as stageformer
from stageformer.scoring.report import Translations, metrics, table
from stageformer.scoring.settings import Settings

TRANSLATIONS = ["Ein Mann läuft.", "Die Katze sitzt auf der Matte.", ""]
REFERENCES = [["ein Mann rennt.", "Ein Mann läuft schnell."], ["Die Katze saß auf der Matte."], ["Haus"]]


def run(root, monkeypatch, *arguments):
    monkeypatch.chdir(root)
    return CliRunner().invoke(stageformer, ["score", *arguments])


def scores(result):
    """By name: value and signature."""
    assert result.exit_code == 0, result.output
    rows = [[cell for cell in line.split("  ") if cell.strip()] for line in result.stdout.splitlines()[1:]]
    return {row[0].strip(): (row[1].strip(), row[2].strip() if len(row) > 2 else "") for row in rows}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "hypotheses").write_text("".join(f"{text}\n" for text in TRANSLATIONS))
    (tmp_path / "first").write_text("".join(f"{texts[0]}\n" for texts in REFERENCES))
    with gzip.open(tmp_path / "second.gz", "wt") as file:
        file.write("Ein Mann läuft schnell.\n\n\n")
    return tmp_path


def test_text_files_against_several_references(files, monkeypatch):
    arguments = ["--hypotheses", "hypotheses", "--references", "first", "--references", "second.gz"]
    result = run(files, monkeypatch, *arguments)
    columns = [[texts[0] for texts in REFERENCES], ["Ein Mann läuft schnell.", None, None]]
    bleu = sacrebleu.corpus_bleu(TRANSLATIONS, columns).score
    assert scores(result)["BLEU"][0] == f"{bleu:.2f}"
    assert "nrefs:var|case:mixed|eff:no|tok:13a" in scores(result)["BLEU"][1]
    assert scores(result)["empty"] == ("1", "")
    assert result.stdout.startswith("3 sentences, 4 references\n")


def test_each_kind_of_bleu_has_a_name_of_its_own(files, monkeypatch):
    arguments = ["--hypotheses", "hypotheses", "--references", "first"]
    cased = scores(run(files, monkeypatch, *arguments, "--tokenized", "de"))
    assert "case:mixed|eff:no|tok:moses-de" in cased["BLEU tokenized, cased"][1]
    lower = scores(run(files, monkeypatch, *arguments, "--tokenized", "de", "--lowercase"))
    assert "case:lc|eff:no|tok:moses-de" in lower["BLEU tokenized, lower-cased"][1]
    assert "case:lc|eff:no|tok:13a" in lower["BLEU"][1]
    none = scores(run(files, monkeypatch, *arguments, "--bleu-tokenize", "none"))
    assert "case:mixed|eff:no|tok:none" in none["BLEU"][1]
    assert "PER %" in scores(run(files, monkeypatch, *arguments, "--phonemes"))


@pytest.mark.parametrize("settings", [Settings(False, "13a", None, False), Settings(True, "intl", "de", True)])
def test_the_last_run_is_scored_as_the_stage_did(tmp_path, monkeypatch, settings):
    translations = Translations([1, 2, 3], ["a", "b", "c"], REFERENCES, TRANSLATIONS, [-1.0] * 3, TRANSLATIONS)
    scorer = settings.scorer(REFERENCES)
    write_table(tmp_path / "data/evaluate/translations.parquet", "translations", [table(translations, scorer)])
    reported = metrics(translations, scorer)
    write_json(tmp_path / "reports/evaluate/metrics.json", reported)
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    found = scores(run(tmp_path, monkeypatch))
    assert found["BLEU"] == (f"{reported['beam']['bleu']:.2f}", reported["bleu_signature"])
    assert ("PER %" in found) == settings.phonemes
    assert ("BLEU tokenized, lower-cased" in found) == (settings.moses_language is not None)
    assert len(found) == len(reported["beam"])
    assert json.loads((tmp_path / "reports/evaluate/metrics.json").read_text()) == reported


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ("hypotheses", "nowhere", "nowhere: no such file"),
        ("hypotheses", "short", "short: 2 lines, but hypotheses has 3"),
        ("hypotheses", "gap", "gap, line 2: empty, and no other file has a reference for it"),
        ("hypotheses", "latin", "latin, line 1: byte 0xe4 is not UTF-8"),
        ("nothing", "nothing", "nothing: an empty file"),
    ],
)
def test_mistakes_are_one_line(files, monkeypatch, hypotheses, references, message):
    for name, content in {"short": b"a\nb\n", "gap": b"a\n\nb\n", "latin": b"l\xe4uft\n\n\n", "nothing": b""}.items():
        (files / name).write_bytes(content)
    result = run(files, monkeypatch, "--hypotheses", hypotheses, "--references", references)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_files_come_in_pairs(files, monkeypatch):
    result = run(files, monkeypatch, "--hypotheses", "hypotheses")
    assert result.exit_code == 2
    assert "--references" in result.stderr
