"""The whole library call on small corpora: splits, leaks, duplicates, references."""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import read_table
from stageformer.corpus.filters import fold
from stageformer.corpus.ingest import ingest
from stageformer.corpus.plan import split_of
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.corpus.statistics import Statistics
from stageformer.errors import StageformerError

Rows = dict[str, list[dict[str, Any]]]


class ListSource:
    """Records in memory; (source, target[, group]) or a Rejected."""

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Record | Rejected]:
        for number, row in enumerate(self.rows, start=1):
            group = row[2] if len(row) > 2 else ""
            yield row if isinstance(row, Rejected) else Record(row[0], row[1], group, f"f:{number}")


def run(corpus: dict[str, Any], params: Any) -> tuple[Rows, Statistics]:
    with tempfile.TemporaryDirectory() as folder:
        statistics = ingest(corpus, params, Path(folder))
        assert {path.name for path in Path(folder).iterdir()} == {"labels", *(f"{split}.parquet" for split in SPLITS)}
        rows = {split: read_table(Path(folder, f"{split}.parquet"), "sentences").to_pylist() for split in SPLITS}
    metrics = statistics.metrics()
    assert metrics["read"] == metrics["kept"] + metrics["merged_references"] + metrics["dropped_in_all"]
    assert metrics["sentences"] == {split: len(rows[split]) for split in SPLITS}
    assert [row["id"] for split in SPLITS for row in rows[split]] == list(range(metrics["kept"]))
    return rows, statistics


def pairs(rows: Rows, split: str) -> list[tuple[str, str]]:
    return [(row["source"], row["target"]) for row in rows[split]]


def group_in(split: str, seed: int = 1) -> Iterator[str]:
    """Yield names of groups that fall into this split at the fractions of the test parameters."""
    return (name for name in (f"g{number}" for number in range(1000)) if split_of(name, seed, 0.2, 0.2) == split)


TRAIN, VALID, TEST = (next(group_in(split)) for split in SPLITS)
FILL = [("Fill one", "Eins", TRAIN), ("Fill two", "Zwei", VALID), ("Fill three", "Drei", TEST)]

corpora = st.lists(
    st.tuples(
        st.sampled_from(["Aa", "aa", "bb", "Bb ", "cc", "dd"]),
        st.sampled_from("vwxyz"),
        st.sampled_from([f"g{number}" for number in range(20)] + [""]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows=corpora, seed=st.integers(0, 5), merge=st.booleans())
def test_invariants(make_params, rows: list[tuple[str, str, str]], seed: int, merge: bool) -> None:
    fill = [(f"Fill {split}", "Füllung", next(group_in(split, seed))) for split in SPLITS]
    rows_of, _ = run({"train": ListSource(*rows, *fill)}, make_params(seed=seed, merge_references=merge))
    sources = {split: {fold(row["source"]) for row in rows_of[split]} for split in SPLITS}
    for one, two in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not sources[one] & sources[two]
    splits_of_group = defaultdict(set)
    for split in SPLITS:
        for row in rows_of[split]:
            if row["group"]:
                splits_of_group[row["group"]].add(split)
    assert all(len(splits) == 1 for splits in splits_of_group.values())
    kept = [(row["source"], target) for split in SPLITS for row in rows_of[split] for target in row["references"]]
    assert len(kept) == len(set(kept))
    if merge:
        for split in ("valid", "test"):
            assert len({row["source"] for row in rows_of[split]}) == len(rows_of[split])


def test_added_data_moves_no_group(make_params) -> None:
    names = [f"g{number}" for number in range(60)]
    rows = [(f"Text {name}", f"Satz {name}", name) for name in names]
    before, _ = run({"train": ListSource(*rows[::2])}, make_params())
    after, _ = run({"train": ListSource(*rows)}, make_params())
    for split in SPLITS:
        assert set(pairs(before, split)) <= set(pairs(after, split))
    other, _ = run({"train": ListSource(*rows)}, make_params(seed=2))
    assert pairs(other, "test") != pairs(after, "test")


def test_without_groups_equal_sources_stay_together(make_params) -> None:
    rows = [(f"{word} {number}", f"Satz {number}") for number in range(50) for word in ("Text", "TEXT")]
    rows_of, statistics = run({"train": ListSource(*rows)}, make_params())
    assert statistics.total().dropped["leak"] == 0
    assert statistics.metrics()["kept"] == 100
    assert all(row["group"] == "" for split in SPLITS for row in rows_of[split])


def test_duplicates_first_in_reading_order_stays(make_params) -> None:
    twice = [("Same", "Gleich", TRAIN), (" Same ", "Gleich", TEST), ("Same", "Dasselbe", TRAIN)]
    rows_of, statistics = run({"train": ListSource(*twice, *FILL)}, make_params())
    assert pairs(rows_of, "train") == [("Same", "Gleich"), ("Same", "Dasselbe"), ("Fill one", "Eins")]
    assert statistics.total().dropped == {"duplicate": 1}
    assert statistics.samples["duplicate"] == [{"source": "Same", "target": "Gleich", "where": "f:2"}]


def test_leaks_leave_the_earlier_split(make_params) -> None:
    rows = [("Leak", "L1", TRAIN), ("LEAK", "L2", VALID), ("leak", "L3", TEST)]
    rows += [("other", "O1", VALID), ("Other", "O2", TRAIN)]
    rows_of, statistics = run({"train": ListSource(*rows, *FILL)}, make_params())
    assert ("leak", "L3") in pairs(rows_of, "test")
    assert pairs(rows_of, "valid") == [("other", "O1"), ("Fill two", "Zwei")]
    assert pairs(rows_of, "train") == [("Fill one", "Eins")]
    assert statistics.total().dropped["leak"] == 3


def test_references_are_merged_in_reading_order(make_params) -> None:
    rows = [("Big", "groß", TEST), ("Big", "dick", TEST), ("Small", "klein", TEST), ("Big", "weit", TEST)]
    rows_of, statistics = run({"train": ListSource(*rows, *FILL)}, make_params())
    assert [(row["target"], row["references"]) for row in rows_of["test"]] == [
        ("groß", ["groß", "dick", "weit"]),
        ("klein", ["klein"]),
        ("Drei", ["Drei"]),
    ]
    assert all(row["references"] == [row["target"]] for row in rows_of["train"])
    assert statistics.total().merged == 2
    assert statistics.metrics()["references"]["test"] == 5
    unmerged, _ = run({"train": ListSource(*rows, *FILL)}, make_params(merge_references=False))
    assert len(unmerged["test"]) == 5


def test_a_leaked_row_takes_its_merged_rows_along(make_params) -> None:
    rows = [("Big", "groß", VALID), ("Big", "dick", VALID), ("big", "weit", TEST)]
    _, statistics = run({"train": ListSource(*rows, *FILL)}, make_params())
    assert (statistics.total().dropped["leak"], statistics.total().merged) == (2, 0)


READY = [("Same", "Same"), ("{x}", "1"), ("Same", "Same"), ("Long " * 50, "kurz"), ("Both", "Beide"), ("Both", "Zwei")]


def test_ready_made_splits_stay_line_by_line(make_params) -> None:
    train = ListSource(("Train", "Zug"), ("SAME", "x"), ("{x}", "2"), ("both", "y"), ("Valid", "z"))
    corpus = {"train": train, "valid": ListSource(("Valid", "Gültig"), ("Both", "V")), "test": ListSource(*READY)}
    rows_of, statistics = run(corpus, make_params(merge_references=False))
    assert pairs(rows_of, "test") == [(source.strip(), target) for source, target in READY]
    assert len(rows_of["valid"]) == 2  # shares a source with test, and stays: it is the user's own split
    assert pairs(rows_of, "train") == [("Train", "Zug")]
    assert statistics.total().dropped == {"no_letters": 1, "leak": 3}


def test_ready_made_splits_are_merged_if_asked(make_params) -> None:
    corpus = {"train": ListSource(("Train", "Zug")), "valid": ListSource(("V", "W")), "test": ListSource(*READY)}
    rows_of, statistics = run(corpus, make_params())
    assert [row["references"] for row in rows_of["test"]] == [["Same"], ["1"], ["kurz"], ["Beide", "Zwei"]]
    assert statistics.total().merged == 2


def test_one_split_ready_made_the_other_split_off(make_params) -> None:
    names = [name for split in SPLITS for name, _ in zip(group_in(split), range(3), strict=False)]
    rows = [(f"Text {name}", f"Satz {name}", name) for name in names]
    leak = (f"text {VALID}", "ready", "")
    rows_of, statistics = run({"train": ListSource(*rows), "test": ListSource(leak)}, make_params())
    assert pairs(rows_of, "test") == [(leak[0], "ready")]
    assert statistics.total().dropped["leak"] == 1
    in_test = (f"text {TEST}", "ready", "")
    rows_of, statistics = run({"train": ListSource(*rows), "valid": ListSource(in_test)}, make_params())
    assert pairs(rows_of, "valid") == [(in_test[0], "ready")]
    assert statistics.total().dropped["leak"] == 1
    assert len(rows_of["test"]) == 2


BAD = Rejected("empty", "f:9", "folder/f:9: empty line; fix it", "x")


def test_bad_record_is_an_error_or_counted(make_params) -> None:
    corpus = {"train": ListSource(*FILL, BAD, Rejected("untranslated", "c: k", None, "y"))}
    with pytest.raises(StageformerError, match="folder/f:9: empty line"):
        run(corpus, make_params())
    _, statistics = run(corpus, make_params(on_bad_line="drop"))
    assert statistics.total().dropped == {"empty": 1, "untranslated": 1}
    harmless = {"train": ListSource(*FILL, Rejected("untranslated", "c: k", None, "y"))}
    _, statistics = run(harmless, make_params())
    assert statistics.total().dropped == {"untranslated": 1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "0 sentences left in train: read 0, dropped nothing"),
        (
            [("Same", "Same", TRAIN), ("leak", "x", TRAIN), ("Leak", "y", TEST)],
            "0 sentences left in train: read 3, dropped 1 equal_sides, 1 leak",
        ),
        ([FILL[0], FILL[2]], "0 sentences left in valid: .*raise ingest.valid_fraction"),
        ([FILL[0], FILL[1]], "0 sentences left in test: .*raise ingest.test_fraction"),
    ],
)
def test_empty_split_is_an_error_and_nothing_is_replaced(make_params, tmp_path: Path, rows: Any, message: str) -> None:
    (tmp_path / "train.parquet").write_text("earlier")
    with pytest.raises(StageformerError, match=message):
        ingest({"train": ListSource(*rows)}, make_params(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]
    assert (tmp_path / "train.parquet").read_text() == "earlier"


def test_many_rows_cross_the_batches(make_params) -> None:
    rows = [(f"Text {number}", f"Satz {number}") for number in range(9_000)]
    rows_of, _ = run({"train": ListSource(*rows)}, make_params())
    assert sorted(pair for split in SPLITS for pair in pairs(rows_of, split)) == sorted(rows)


def rows_of_train(*rows: tuple[str, str]) -> list[Record]:
    return [Record(*row, "", f"f:{number}") for number, row in enumerate(rows)]


def test_lengths_and_samples() -> None:
    statistics = Statistics()
    statistics.keep("train", "train", rows_of_train(("one two", "eins")), 1)
    statistics.keep("train", "train", rows_of_train(("a " * 80 + "a", "b")), 1)
    for number in range(9):
        statistics.drop("train", "too_long", f"f:{number}", "x" * 1000)
    assert statistics.total().dropped["too_long"] == 9
    assert [sample["where"] for sample in statistics.samples["too_long"]] == [f"f:{number}" for number in range(5)]
    assert all(len(sample["source"]) == 200 for sample in statistics.samples["too_long"])
    table = [line.split(",") for line in statistics.lengths_csv().splitlines()]
    assert table[0][:3] == ["length", "train_source", "train_target"]
    assert table[1][:3] == ["1", "0.0000", "100.0000"]
    assert table[2][:3] == ["2", "50.0000", "0.0000"]
    assert table[-1][:3] == ["60", "50.0000", "0.0000"]
    assert statistics.metrics()["characters"]["train_source"] == {"sum": 168, "mean": 84.0, "longest": 161}


@pytest.mark.parametrize("cuts", [[], [4], [1, 2, 7]])
def test_statistics_are_the_sum_of_those_of_the_parts(cuts: list[int]) -> None:
    rows = [(f"{'word ' * number}end", f"{'Wort ' * (9 - number)}Ende", f"g{number % 3}") for number in range(9)]

    def counted(start: int, end: int) -> Statistics:
        statistics = Statistics()
        for number in range(start, end):
            statistics.reading("train").read += 2
            statistics.keep("train", "train", [Record(*rows[number], f"f:{number}")], 2)
            statistics.drop("train", "too_long", f"f:{number}", rows[number][0])
        return statistics

    total = Statistics()
    for start, end in itertools.pairwise([0, *cuts, 9]):
        total.add(counted(start, end))
    whole = counted(0, 9)
    assert total.metrics() == whole.metrics()
    assert (total.samples, total.lengths_csv()) == (whole.samples, whole.lengths_csv())
    assert total.metrics()["groups"]["train"] == 3
    assert total.total().summary() == "read 18 pairs, dropped 9 (9 too_long), kept 9 (9 train)"


@pytest.mark.parametrize("rows_in_a_part", [1, 3, 7])
def test_the_size_of_the_parts_changes_nothing(make_params, monkeypatch, rows_in_a_part: int) -> None:
    texts = ["Aa", "aa", "bb", "Bb ", "cc", "dd", "42", "bb"]
    rows = [(texts[n % 8], "vwxyz"[n * n % 5], ["", f"g{n % 20}"][n % 2]) for n in range(60)]
    for merge in (True, False):
        params = make_params(merge_references=merge)
        rows_of, statistics = run({"train": ListSource(*rows, *FILL)}, params)
        with monkeypatch.context() as patch:
            patch.setattr("stageformer.corpus.plan.ROWS", rows_in_a_part)
            cut_rows_of, cut_statistics = run({"train": ListSource(*rows, *FILL)}, params)
        assert cut_rows_of == rows_of
        assert cut_statistics.metrics() == statistics.metrics()
        assert cut_statistics.samples == statistics.samples


SUMS = [(f"{a}+{b}", f"{a + b}") for a in range(20) for b in range(10)]


def test_a_filter_that_leaves_too_little_is_named(make_params, capsys) -> None:
    with pytest.raises(StageformerError) as error:
        run({"train": ListSource(*SUMS, *FILL)}, make_params())
    assert str(error.value).startswith("the filters of ingest leave 3 of 203 pairs: dropped 200 no_letters; ")
    assert "switch the filter off (ingest.require_letters: false), or lower ingest.min_kept (0.1)" in str(error.value)
    run({"train": ListSource(*SUMS, *FILL)}, make_params(min_kept=0.0))
    rows_of, statistics = run({"train": ListSource(*SUMS)}, make_params(require_letters=False))
    assert sum(map(len, rows_of.values())) == 200
    assert not statistics.total().dropped
    capsys.readouterr()
    reviews = [(f"A review of film {number}, longer than its label", "good") for number in range(20)]
    with pytest.raises(StageformerError, match=r"dropped 1 no_letters, 20 length_ratio;.*ingest.max_length_ratio: nul"):
        run({"train": ListSource(*reviews, ("1", "1"), *FILL[:2])}, make_params(max_length_ratio=1.5))
    assert capsys.readouterr().err == ""


def test_nothing_left_is_an_error_even_where_any_share_is_enough(make_params) -> None:
    with pytest.raises(StageformerError, match=r"leave 0 of 200 pairs: dropped 200 no_letters"):
        run({"train": ListSource(*SUMS)}, make_params(min_kept=0.0))


def test_duplicates_may_stay(make_params) -> None:
    rows = [("Same", "Gleich", TRAIN), ("Same", "Gleich", TRAIN)]
    rows_of, statistics = run({"train": ListSource(*rows, *FILL)}, make_params(drop_duplicates=False))
    assert pairs(rows_of, "train")[:2] == [("Same", "Gleich")] * 2
    assert not statistics.total().dropped


def test_one_line_says_what_was_read_dropped_and_kept(make_params, capsys) -> None:
    leak = ("fill ONE", "ready", "")
    run({"train": ListSource(*FILL, ("x", "y" * 99, TRAIN)), "test": ListSource(leak)}, make_params())
    assert capsys.readouterr().err.splitlines() == [
        "ingest: train: read 4 pairs, dropped 2 (1 length_ratio, 1 leak), kept 2 (1 train, 1 valid)",
        "ingest: test: read 1 pair, dropped nothing, kept 1 (1 test)",
    ]
