import gzip
import json

import pytest
import sacrebleu
from click.testing import CliRunner

from stageformer.artifacts.tables import write_table
from stageformer.cli import main as stageformer
from stageformer.scoring.report import Translations, metrics
from stageformer.scoring.settings import Settings
from stageformer.scoring.writing import write_scores

TRANSLATIONS = ["Ein Mann läuft.", "Die Katze sitzt auf der Matte.", ""]
REFERENCES = [["ein Mann rennt.", "Ein Mann läuft schnell."], ["Die Katze saß auf der Matte."], ["Haus"]]


def run(root, monkeypatch, *arguments):
    monkeypatch.chdir(root)
    return CliRunner().invoke(stageformer, ["score", *arguments])


def scores(result):
    """By name: value and signature."""
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines()[1:] if "BLEU is 0" not in line]
    rows = [[cell for cell in line.split("  ") if cell.strip()] for line in lines]
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


def test_json_holds_the_scores_that_the_text_rounds(files, monkeypatch):
    arguments = ["--hypotheses", "hypotheses", "--references", "first", "--tokenized", "de"]
    shown = scores(run(files, monkeypatch, *arguments))
    found = json.loads(run(files, monkeypatch, *arguments, "--json").stdout)
    assert (found["sentences"], found["references"]) == (3, 3)
    by_label = {"BLEU": "bleu", "BLEU tokenized, cased": "bleu_tokenized", "chrF": "chrf", "TER": "ter"}
    for label, name in by_label.items():
        score = found["scores"][name]
        assert (f"{score['score']:.2f}", score["signature"]) == shown[label]
    assert found["scores"]["exact_match"]["signature"] is None
    assert len(found["scores"]) == len(shown)


@pytest.mark.parametrize(
    ("translation", "is_noted"), [("Haus rot", True), ("Haus, rot.", False), ("Haus rot blau gelb", False)]
)
def test_bleu_of_texts_too_short_for_it_has_a_note(files, monkeypatch, translation, is_noted):
    """13a makes four tokens of the second text; sacreBLEU's BLEU is 0 where there is no run of four at all."""
    for name in ("short", "reference"):
        (files / name).write_text(f"{translation}\n" * 3)
    result = run(files, monkeypatch, "--hypotheses", "short", "--references", "reference")
    reference = sacrebleu.corpus_bleu([translation] * 3, [[translation] * 3]).score
    assert scores(result)["BLEU"][0] == f"{reference:.2f}" == ("0.00" if is_noted else "100.00")
    note = "  BLEU is 0: it needs runs of 4 tokens, and no translation has as many. chrF does without.\n"
    assert result.stdout.endswith(note) == is_noted


@pytest.mark.parametrize("settings", [Settings(False, "13a", None, False), Settings(True, "intl", "de", True)])
def test_the_last_run_is_scored_as_the_stage_did(tmp_path, monkeypatch, settings):
    translations = Translations([1, 2, 3], ["a", "b", "c"], REFERENCES, TRANSLATIONS, [-1.0] * 3, TRANSLATIONS)
    reported = metrics(translations, settings.scorer(REFERENCES))
    train = {"id": [0], "source": ["a"], "target": ["b"], "references": [["b"]], "group": [""]}
    write_table(tmp_path / "train.parquet", "sentences", [train])
    write_scores(
        translations, settings, {}, output=tmp_path / "data", reports=tmp_path / "reports/evaluate",
        train=tmp_path / "train.parquet",
    )  # fmt: skip
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
