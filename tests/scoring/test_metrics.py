import json
import subprocess
import sys

import pytest
import sacrebleu

from stageformer import errors
from stageformer.errors import StageformerError
from stageformer.params.evaluate import TOKENIZER_PACKAGES
from stageformer.scoring.metrics import Scorer
from stageformer.scoring.report import Translations, metrics, table

TRANSLATIONS = ["Die Katze sitzt auf der Matte.", "", "ein Hund läuft schnell", "Haus"]
REFERENCES = [
    ["Die Katze saß auf der Matte.", "Eine Katze sitzt auf der Matte."],
    ["Etwas fehlt."],
    ["Ein Hund läuft schnell", "Der Hund rennt.", "Hunde laufen"],
    ["Haus"],
]


def scorer(references=REFERENCES, lowercase=False, bleu_tokenize="13a"):
    return Scorer(references, lowercase=lowercase, bleu_tokenize=bleu_tokenize)


def test_corpus_scores_are_those_of_sacrebleu():
    columns = [[texts[n] if n < len(texts) else None for texts in REFERENCES] for n in range(3)]
    found = scorer().corpus(TRANSLATIONS)
    bleu = sacrebleu.corpus_bleu(TRANSLATIONS, columns)
    assert found["bleu"] == pytest.approx(bleu.score, abs=1e-4)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(TRANSLATIONS, columns).score, abs=1e-4)
    ter = sacrebleu.metrics.TER(case_sensitive=True).corpus_score(TRANSLATIONS, columns)
    assert found["ter"] == pytest.approx(ter.score, abs=1e-4)
    assert found["length_ratio"] == pytest.approx(bleu.sys_len / bleu.ref_len, abs=1e-4)
    assert (found["exact_match"], found["empty"]) == (25.0, 1)


def test_corpus_scores_are_those_of_sacrebleu_s_command(tmp_path):
    for name, lines in (("hypotheses", TRANSLATIONS), ("references", [texts[0] for texts in REFERENCES])):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-i", "hypotheses", "-m", "bleu", "chrf", "-w", "4"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    alone = scorer([texts[:1] for texts in REFERENCES])
    found = alone.corpus(TRANSLATIONS)
    for name, printed in zip(("bleu", "chrf"), json.loads(run.stdout), strict=True):
        assert found[name] == pytest.approx(printed["score"], abs=1e-4)
        assert alone.signatures[f"{name}_signature"] == printed["signature"]


def test_a_further_reference_can_only_help():
    single = scorer([texts[:1] for texts in REFERENCES]).corpus(TRANSLATIONS)
    several = scorer().corpus(TRANSLATIONS)
    assert several["bleu"] > single["bleu"]
    assert several["chrf"] > single["chrf"]


def test_lower_case_and_the_signatures_that_say_so():
    upper = [text.upper() for text in TRANSLATIONS]
    ignoring = scorer(lowercase=True)
    assert ignoring.corpus(upper) == ignoring.corpus(TRANSLATIONS)
    assert ignoring.corpus(upper)["exact_match"] == 50.0
    assert scorer().corpus(upper)["bleu"] < 5
    assert "case:lc" in ignoring.signatures["bleu_signature"]
    assert "case:mixed" in scorer().signatures["ter_signature"]
    several = scorer()
    several.sentences(TRANSLATIONS)
    several.corpus(TRANSLATIONS)
    assert all("nrefs:var" in signature for signature in several.signatures.values())
    assert "nrefs:1|" in scorer([["a"], ["b"]]).signatures["bleu_signature"]
    assert "tok:intl" in scorer(bleu_tokenize="intl").signatures["bleu_signature"]


def test_sentence_scores():
    found = scorer().sentences(TRANSLATIONS)
    assert [score.exact_match for score in found] == [False, False, False, True]
    assert found[3].bleu == pytest.approx(100), "one word, one n-gram order"
    assert found[1].bleu == found[1].chrf == 0
    assert 0 < found[0].bleu < 100


def test_nothing_but_empty_translations_scores_zero():
    found = scorer([texts[:1] for texts in REFERENCES]).corpus([""] * 4)
    assert (found["bleu"], found["chrf"], found["exact_match"], found["empty"]) == (0, 0, 0, 4)
    assert found["ter"] == 100


@pytest.mark.parametrize("tokenization", ["ja-mecab", "ko-mecab"])
def test_a_missing_package_is_named(monkeypatch, tokenization):
    (package, *_) = TOKENIZER_PACKAGES[tokenization]
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(StageformerError, match=rf"the package {package} is not installed; run `pip"):
        scorer(bleu_tokenize=tokenization)


@pytest.fixture
def translations():
    sources = ["The cat sits on the mat.", "Something is missing.", "a dog runs fast", "Haus"]
    return Translations([7, 8, 9, 10], sources, REFERENCES, TRANSLATIONS, [-1.0, -2.0, -3.0, -4.0], ["x"] * 4)


def test_the_report_has_the_row_that_any_model_must_beat(translations):
    found = metrics(translations, scorer())
    assert (found["sentences"], found["references"]) == (4, 7)
    assert found["copy_source"]["exact_match"] == 25
    assert found["beam"] == scorer().corpus(TRANSLATIONS)
    assert found["greedy"]["exact_match"] == 0


def test_the_table_has_a_row_for_each_sentence(translations):
    columns = table(translations, scorer())
    assert columns["id"] == [7, 8, 9, 10]
    assert columns["exact_match"] == [False, False, False, True]
    assert columns["bleu"][3] == pytest.approx(100)


def test_further_scores_are_reported_where_they_are_asked_for():
    plain = scorer()
    further = Scorer(
        REFERENCES, lowercase=False, bleu_tokenize="13a", moses_language="de", characters=True, phonemes=True
    )
    found = further.corpus(TRANSLATIONS)
    names = {"bleu_tokenized_lowercased", "cer", "per", "wer"}
    assert found.keys() - plain.corpus(TRANSLATIONS).keys() == names
    assert further.signatures.keys() - plain.signatures.keys() == {f"{name}_signature" for name in names}
    assert {name: found[name] for name in plain.corpus(TRANSLATIONS)} == plain.corpus(TRANSLATIONS)
    assert found["wer"] == 100 - found["exact_match"]


def test_counts_of_sentences_add_up_to_the_score_of_the_corpus():
    further = Scorer(
        REFERENCES, lowercase=False, bleu_tokenize="13a", moses_language="de", characters=True, phonemes=True
    )
    corpus = further.corpus(TRANSLATIONS)
    statistics = further.statistics()
    assert statistics.keys() == {"bleu", "chrf", "bleu_tokenized_lowercased", "cer", "per", "wer"}
    for name, statistic in statistics.items():
        counts = statistic.counts(TRANSLATIONS)
        assert len(counts) == 4
        assert statistic.score(counts.sum(0)) == pytest.approx(corpus[name], abs=1e-4), name
        assert statistic.signature == further.signatures[f"{name}_signature"]


def test_tokenised_text_is_scored_as_it_is_and_says_so(caplog):
    texts = [f"ein hund , der läuft {number} ." for number in range(120)]
    found = scorer([[text] for text in texts], lowercase=True, bleu_tokenize="none")
    assert found.corpus(texts)["bleu"] == pytest.approx(100)
    assert "case:lc|eff:no|tok:none" in found.signatures["bleu_signature"]
    assert not caplog.records
    scorer([[text] for text in texts]).corpus(texts)
    assert "tokenized period" in caplog.text, "with 13a, sacreBLEU warns"


def test_white_space_alone_counts_as_empty():
    assert scorer().corpus(["", " ", "\u00a0", "x"])["empty"] == 3
