from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from stageformer.export.card import card, facts
from stageformer.params.base import parse
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.reading import read_yaml
from stageformer.params.translate import Translate
from tests.export.conftest import random_model

RECIPE = read_yaml(Path(__file__).parents[2] / "recipes/default.yaml")
SCORES = {
    "split": "test", "sentences": 1234, "references": 1300, "bleu_signature": "nrefs:1|tok:13a",
    **{name: {"bleu": bleu} for name, bleu in (("beam", 30.16), ("greedy", 29.0), ("copy_source", 1.0))},
}  # fmt: skip
FORMAT = {"size_mib": 1.25, "greedy_equal": 99.95, "bleu": 29.1, "bleu_difference": -0.254}


@pytest.fixture
def make_facts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"weights")

    def make(**changes):
        export = {**RECIPE["export"], **changes.pop("export", {})}
        return facts(
            export=parse(Export, export, "export"),
            ingest=parse(Ingest, {**RECIPE["ingest"], **changes}, "ingest"),
            translate=parse(Translate, RECIPE["translate"], "translate"),
            model=random_model(),
            tokenizer="bpe",
            scores=SCORES,
            formats={"ctranslate2": FORMAT},
            inputs=[(tmp_path / "model.pt").relative_to(tmp_path)],
        )

    return make


def front_matter(text):
    return YAML(typ="safe").load(text.split("---\n")[1])


def test_scores_and_hashes(make_facts):
    text = card(make_facts(), {"ctranslate2": "ctranslate2"})
    assert "1,234 sentences, 1,300 references" in text
    assert "| beam search | 30.2 |" in text
    assert r"- bleu: `nrefs:1|tok:13a`" in text
    assert "| CTranslate2, fp32 | 1.2 | 100.0 | 29.1 | -0.25 |" in text
    # printf weights | md5sum
    assert "| `model.pt` | `63f4f1e9b725370f459720575cd5f953` |" in text


def test_languages_that_yaml_would_read_otherwise(make_facts):
    matter = front_matter(card(make_facts(source_language="no", target_language="zh-Hant"), {"ctranslate2": "x"}))
    assert matter["language"] == ["no", "zh-Hant"]
    assert matter["library_name"] == "ctranslate2"


def test_one_language_is_named_once(make_facts):
    assert front_matter(card(make_facts(target_language="en"), {"huggingface": "."}))["language"] == ["en"]


def test_licences(make_facts):
    default = card(make_facts(), {"ctranslate2": "x"})
    assert "license" not in front_matter(default)
    assert "Licence of the data: apache-2.0" in default
    files = {**RECIPE["ingest"]["files"], "train": ["/home/me/secret/a.en", "b.de"], "valid": [], "test": []}
    own = card(make_facts(source="lines", files=files, export={"license": "cc-by-4.0"}), {"ctranslate2": "x"})
    assert front_matter(own)["license"] == "cc-by-4.0"
    assert "own files (lines): a.en, b.de" in own
    assert "Licence of the data: not stated" in own
    assert "secret" not in own


def test_a_difference_that_is_none_has_no_minus(make_facts):
    facts = make_facts()
    facts["formats"] = {"ctranslate2": {**FORMAT, "bleu_difference": -0.0002}}
    assert "| +0.00 |" in card(facts, {"ctranslate2": "x"})


class Seen(HTMLParser):
    """What a browser would make of a page: its text, and the tags and links in it."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.links = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(3)</script>", "[x](javascript:alert(4))", "![x](https://example.org/x.png)",
        "`a` **b** _c_ ~~d~~",
        "<https://example.org>", "https://example.org", "a@example.org", "&lt;b&gt;", "| a | b |", "# x", r"\[x](y)",
    ],
)  # fmt: skip
def test_parameters_are_text_in_the_card_and_no_markup(make_facts, hostile):
    def seen(value):
        export = {"license": value, "data_license": value}
        text = card(make_facts(source_language=value, target_language=value, export=export), {"ctranslate2": "x"})
        body = text.split("---\n", 2)[2]
        return Seen(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(body))

    harmless, found = seen("word"), seen(hostile)
    assert (found.tags, found.links) == (harmless.tags, harmless.links)
    assert found.text == harmless.text.replace("from word to word", f"from {hostile} to {hostile}").replace(
        ", word to word", f", {hostile} to {hostile}").replace(": word\n", f": {hostile}\n")


def test_a_parameter_of_several_lines_is_one_line(make_facts):
    text = card(make_facts(export={"license": "a\n---\nevil: 1\n\n# Heading\x1b[31m"}), {"ctranslate2": "x"})
    assert "- Licence of the model: a --- evil: 1 \\# Heading \\[31m\n" in text
    assert front_matter(text)["license"] == "a\n---\nevil: 1\n\n# Heading\x1b[31m"
