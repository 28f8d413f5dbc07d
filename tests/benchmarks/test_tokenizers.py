"""The table of the families of tokenizers: every kind and cutter is in it, and what it measures is true."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.tokenizers import BEGIN, END, FAMILIES, main, measure, sentences
from stageformer.params.choices import kinds

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ["Turn on the lights.", "He paid 3 dollars!", "It isn't here."]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"Hallo {number}!\tHello {number}!\n" for number in range(9))
    return path


def test_every_kind_and_every_cutter_is_in_the_table_of_the_document() -> None:
    assert {family.options["kind"] for family in FAMILIES} == set(kinds("stageformer.text.tokenizers"))
    cutters = {str(family.options["cutter"]) for family in FAMILIES if "cutter" in family.options}
    assert {name for name in cutters if ":" not in name} == set(kinds("stageformer.text.cutters"))
    text = (ROOT / "docs/tokenizers.md").read_text(encoding="utf-8")
    rows = text[text.index(BEGIN) : text.index(END)].splitlines()[3:]
    assert [row.split(" | ")[:2] for row in rows] == [[f"| {each.known_as}", each.shown] for each in FAMILIES]


def test_what_is_measured() -> None:
    exact, again = (measure({"kind": "cut", "cutter": "nltk_wordpunct"}, TEXTS) for _ in range(2))
    assert exact["exact"] == 1
    assert exact["digest"] == again["digest"]
    assert exact["speed"] > 0
    lossy = measure({"kind": "cut", "cutter": "gensim"}, TEXTS)
    assert lossy["exact"] == 0
    assert lossy["digest"] != exact["digest"]


def test_sentences_of_a_language(table: Path) -> None:
    assert sentences(table, 2, "en") == ["Hello 0!", "Hello 1!"]
    assert sentences(table, 2, "de") == ["Hallo 0!", "Hallo 1!"]


def test_the_table_is_put_into_a_document(table: Path, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    arguments = ["--table", str(table), "--only", "characters$|CLIP|characters `char`", "--output", str(document)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| what people call it | kind |")
    assert text.endswith(f"|\n{END}\nafter\n")
    assert "| characters | `char` | exact | " in text
    assert "| CLIP vocabulary | `pretrained` | not measured | not measured | not measured | tokenizers " in text
    assert "old" not in text
