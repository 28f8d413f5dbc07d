import csv
import io

import pytest

from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import write_table
from stageformer.scoring.buckets import by_bucket, count_words, length_bucket, rarest_word_buckets, words
from stageformer.scoring.report import Translations
from stageformer.scoring.settings import Settings
from stageformer.scoring.writing import write_scores

SETTINGS = Settings(lowercase=False, bleu_tokenize="13a", moses_language=None, phonemes=False)
SOURCES = ["The cat sits on the mat.", "Something is missing.", "a dog runs fast", "Haus"]
REFERENCES = [
    ["Die Katze saß auf der Matte.", "Eine Katze sitzt auf der Matte."], ["Etwas fehlt."],
    ["Ein Hund läuft schnell", "Der Hund rennt."], ["Haus"],
]  # fmt: skip
TRANSLATED = Translations(
    ids=[7, 8, 9, 10],
    sources=SOURCES,
    references=REFERENCES,
    beam=["Die Katze sitzt auf der Matte.", "", "ein Hund läuft schnell", "Haus"],
    beam_scores=[-1.0] * 4,
    greedy=["x"] * 4,
)


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "01"), (1, "01"), (2, "02"), (3, "03-04"), (4, "03-04"), (5, "05-08"), (16, "09-16"), (17, "17-32"),
     (64, "33-64"), (65, "65+"), (1_000, "65+")],
)  # fmt: skip
def test_buckets_of_lengths(number, name):
    assert length_bucket(" ".join(["word"] * number)) == name


def test_words_are_without_case_and_outer_punctuation():
    assert words("„Hello,\tWORLD!“ – it's 3.5 %") == ["hello", "world", "it's", "3.5"]
    assert words("Straße STRASSE") == ["strasse", "strasse"]
    # The vowel sign at the end of a Hindi word belongs to it.
    assert words("पानी।") == ["पानी"]


@pytest.mark.parametrize(
    ("count", "name"),
    [(0, "000"), (1, "001"), (2, "002-004"), (4, "002-004"), (5, "005-009"), (9, "005-009"), (10, "010-099"),
     (99, "010-099"), (100, "100+"), (5_000, "100+")],
)  # fmt: skip
def test_buckets_of_the_rarest_word(count, name):
    assert rarest_word_buckets(["common rare"], {"common": 9_999, "rare": count}) == [name]


def test_only_the_words_that_are_wanted_are_counted():
    counts = count_words(["A cat, a dog!"], ["the cat", "CAT cat.", "no word of it", "a a"])
    assert counts == {"a": 2, "cat": 3, "dog": 0}
    assert rarest_word_buckets(["A cat", "dog cat", "...", ""], counts) == ["002-004", "000", "none", "none"]


def test_each_bucket_is_scored_by_itself():
    text = by_bucket("kind", ["b", "a", "a", "c"], TRANSLATED, SETTINGS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["kind"], row["sentences"]) for row in rows] == [("a", "2"), ("b", "1"), ("c", "1")]
    alone = SETTINGS.scorer(REFERENCES[1:3]).corpus(TRANSLATED.beam[1:3])
    assert {name: float(rows[0][name]) for name in ("bleu", "chrf", "exact_match")} == {
        name: alone[name] for name in ("bleu", "chrf", "exact_match")
    }
    assert float(rows[2]["exact_match"]) == 100


def test_the_files(tmp_path):
    sources = ["the cat", "a dog runs fast", "The mat", "a fast dog runs"]
    table = {"id": range(4), "source": sources, "target": sources, "references": [[""]] * 4, "group": [""] * 4}
    write_table(tmp_path / "train.parquet", "sentences", [table])
    write_scores(
        TRANSLATED, SETTINGS, {"split": "test"}, output=tmp_path, reports=tmp_path, train=tmp_path / "train.parquet"
    )
    found = read_json(tmp_path / "metrics.json")
    assert (found["split"], found["beam"]) == ("test", SETTINGS.scorer(REFERENCES).corpus(TRANSLATED.beam))
    lengths, rarest = (
        [(row[0], int(row[1])) for row in csv.reader((tmp_path / name).open()) if row[1] != "sentences"]
        for name in ("by_length.csv", "by_rarest_word.csv")
    )
    assert lengths == [("01", 1), ("03-04", 2), ("05-08", 1)]
    # "sits", "something" and "haus" never occur in train.
    assert rarest == [("000", 3), ("002-004", 1)]
