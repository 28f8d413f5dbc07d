import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.report import pictures, translations
from stageformer.report.write import write_report
from tests.report.conftest import HOSTILE, make_run, png

VOID = {"meta", "img", "input", "br", "hr", "link"}


class Page(HTMLParser):
    """What a page holds; raises when its tags are not balanced."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"an attribute is twice in <{tag}>"
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open:
            self.texts.append((self._open[-1], data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(params=["one", "two"])
def text(pages, request):
    return (pages / f"{request.param}.html").read_text(encoding="utf-8")


def test_tags_are_balanced_and_ids_unique_and_referred_to(text):
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    for tag, attributes in page.elements:
        for name in ("aria-labelledby", "for"):
            assert attributes.get(name, ids[0]) in ids
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids
        if "marker-end" in attributes:
            assert re.fullmatch(r"url\(#(.*)\)", attributes["marker-end"])[1] in ids


def test_nothing_is_loaded_from_elsewhere(text):
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert "style" not in attributes, "the Content-Security-Policy would block it"
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(text):
    policy = next(m["content"] for m in Page(text).all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_hostile_text_stays_text(text):
    page = Page(text)
    assert not any("onerror" in attributes for attributes in page.all("img"))
    shown = [data for tag, data in page.texts if tag == "span"]
    assert HOSTILE in shown
    assert f"Übersetzung 1{HOSTILE}" in shown
    (stored,) = [data for tag, data in page.texts if tag == "script" and data.startswith("{")]
    assert "<" not in stored
    rows = json.loads(stored)["rows"]
    assert rows[0][1] == [HOSTILE]
    assert rows[1][3][0] == f"Übersetzung 1{HOSTILE}"


def test_headings_go_down_one_level_at_a_time(text):
    levels = [int(tag[1]) for tag, _ in Page(text).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pictures_have_a_text_and_drawings_a_label(text):
    page = Page(text)
    assert all(attributes["alt"] for attributes in page.all("img"))
    for attributes in page.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes["aria-label"]


def test_page_shows_the_first_rows_without_javascript(text):
    page = Page(text)
    rows = [attributes for attributes in page.all("td") if attributes.get("class") == "id"]
    assert len(rows) == translations.ROWS_A_PAGE
    assert any("first 25 of 60" in data for _, data in page.texts)


def test_same_inputs_give_the_same_bytes(runs, pages, tmp_path):
    opened = [Experiment.open(f"./{name}", runs) for name in ("one", "two")]
    write_report(opened, tmp_path / "again.html", root=runs)
    assert (tmp_path / "again.html").read_bytes() == (pages / "two.html").read_bytes()


def test_scores_and_differences_of_two(pages):
    texts = [data.strip() for _, data in Page((pages / "two.html").read_text()).texts]
    assert "+1.31 maybe chance" in texts  # BLEU, 20.40 -> 21.71
    assert "−0.13 not tested" in texts  # TER, 77.46 -> 77.329: lower is better
    assert "±0 same" in texts  # chrF
    assert "95 %: ±0 to ±0, p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1.000" in texts  # both translated the same
    assert "One parameter differs." in texts
    assert "translate.beam_size" in texts
    assert "hypotheses kept at each step; 1: greedy" in texts


def test_three_experiments_side_by_side(tmp_path, runs):
    make_run(tmp_path / "three", bleu=19.4, beam_size=2, model="gg", gain=-1.0)
    opened = [Experiment.open(f"./{name}", runs) for name in ("one", "two")]
    opened.append(Experiment.open("./three", tmp_path))
    write_report(opened, tmp_path / "page.html", root=runs)
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    texts = [data.strip() for _, data in page.texts]
    assert "+1.31 maybe chance" in texts  # BLEU, 20.40 -> 21.71
    assert "−1.00 maybe chance" in texts  # BLEU, 20.40 -> 19.40
    assert [attributes["class"] for attributes in page.all("span") if "letter" in attributes.get("class", "")][:3] == [
        "letter a", "letter b", "letter c"
    ]  # fmt: skip
    heads = [column.label for column in translations.read_translations(opened).columns]
    assert heads[3:] == [*(f"Translation {letter}" for letter in "ABC"), *(f"BLEU {letter}" for letter in "ABC")]
    rows = translations.read_translations(opened).rows
    assert rows[1][6:] == [37.0, 38.5, 36.0]
    # Each run has a picture of its own of attention, and all have the same of positions.
    assert len(page.all("img")) == 4
    assert "(the same in all 3)" in text
    assert "One parameter differs." in texts
    assert [text for text in texts if text in ("4", "8", "2")][:3] == ["4", "8", "2"]


def test_test_sets_that_differ_are_not_tested_for_chance(tmp_path, runs):
    make_run(tmp_path / "few", number=50)
    opened = [Experiment.open("./one", runs), Experiment.open("./few", tmp_path)]
    write_report(opened, tmp_path / "page.html", root=runs)
    assert "was not tested. ./one and ./few translated different sentences" in (tmp_path / "page.html").read_text()


def test_a_picture_that_both_have_is_shown_once(pages):
    text = (pages / "two.html").read_text()
    alts = [attributes["alt"] for attributes in Page(text).all("img")]
    assert sorted(alts) == sorted([
        "Positions",
        *(f"Where the decoder looks: last layer, mean over heads, sentence 1003, ./{name}" for name in ("one", "two")),
    ])
    assert text.count(base64.b64encode(png()).decode()) == 1


def test_pictures_beyond_the_limit_are_named(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", len(png()) + 5)
    left_out = write_report([Experiment.open("./one", runs)], tmp_path / "page.html", root=runs)
    assert left_out == ["reports/evaluate/attention/1003-cross.png: no room left"]
    assert "below its limit: reports/evaluate/attention/1003-cross.png" in (tmp_path / "page.html").read_text()


def test_rows_beyond_the_limit_are_left_out_and_said_so(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(translations, "MAX_ROWS", 40)
    left_out = write_report([Experiment.open("./one", runs)], tmp_path / "page.html", root=runs)
    assert left_out == ["The first 40 of 60 sentences are in this page, so that it stays quick."]


def test_text_between_backticks_is_code_and_the_rest_stays_text(tmp_path):
    (make_run(tmp_path / "<run>") / translations.PATH).unlink()
    write_report([Experiment.open("./<run>", tmp_path)], tmp_path / "page.html", root=tmp_path)
    page = Page((tmp_path / "page.html").read_text())
    assert ("code", "stageformer explain") in page.texts
    assert any(data.startswith("Translations are left out. ./<run>: there is no") for _, data in page.texts)


def test_without_translations_the_rest_is_there(tmp_path):
    (make_run(tmp_path / "run") / translations.PATH).unlink()
    left_out = write_report([Experiment.open("./run", tmp_path)], tmp_path / "page.html", root=tmp_path)
    assert left_out == [f"Translations are left out. ./run: there is no {translations.PATH}."]
    page = Page((tmp_path / "page.html").read_text())
    assert "20.40" in [data.strip() for _, data in page.texts]


def test_sentences_of_one_experiment_alone_are_left_out(tmp_path, runs):
    make_run(tmp_path / "few", number=50)
    opened = [Experiment.open("./one", runs), Experiment.open("./few", tmp_path)]
    found = translations.read_translations(opened)
    assert [row[0] for row in found.rows] == list(range(1000, 1050))
    assert found.notes == [
        "Left out, because the other experiment did not translate them: 10 of the 60 sentences of ./one."
    ]


@pytest.mark.parametrize("path", [
    "reports/evaluate/metrics.json", "reports/train/cost.json", "dvc.yaml", "params.yaml",
    "reports/train_encoder/plots/metrics/valid_loss.tsv", "reports/vocab/coverage.csv", translations.PATH,
    "reports/ingest/metrics.json", "reports/ingest/dropped_samples.json", "reports/ingest/labels.json",
])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, path):
    (make_run(tmp_path / "run") / path).write_bytes(b"step,types,coverage,side\n\xff{[1,2\n")
    with pytest.raises(StageformerError) as error:
        write_report([Experiment.open("./run", tmp_path)], tmp_path / "page.html", root=tmp_path)
    assert path in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "page.html").exists()
