from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageformer.scoring.error_rates import CharacterErrors, PhonemeErrors, edits_to_nearest

SEQUENCES = st.lists(st.sampled_from("abc"), max_size=7)


def by_definition(first, second):
    """Levenshtein's recursion."""

    @lru_cache(None)
    def distance(i, j):
        if min(i, j) == 0:
            return max(i, j)
        if first[i - 1] == second[j - 1]:
            return distance(i - 1, j - 1)
        return 1 + min(distance(i - 1, j), distance(i, j - 1), distance(i - 1, j - 1))

    return distance(len(first), len(second))


@given(SEQUENCES, SEQUENCES)
def test_edits_are_those_of_the_definition(first, second):
    assert edits_to_nearest(first, [second]) == (by_definition(first, second), len(second))
    assert edits_to_nearest(second, [first]) == (by_definition(first, second), len(first))


def test_edits_by_hand():
    assert edits_to_nearest("kitten", ["sitting"]) == (3, 7)
    assert edits_to_nearest("", ["abc"]) == (3, 3)
    assert edits_to_nearest([], [[]]) == (0, 0)


def test_rates_by_hand():
    pronunciations = ["HH AH L OW", "W ER L D", "T AH M AA T OW", "", "K AE T S"]
    references = [
        ["HH AH L OW", "HH EH L OW"],  # right: the first
        ["W ER D", "W AO R L D Z"],  # one insertion against the first, three phonemes
        ["T AH M EY T OW", "T AH M AA T OW"],  # right: the second
        ["AH"],  # one deletion
        ["K AE T"],  # one insertion
    ]
    errors = PhonemeErrors(references, lowercase=False)
    totals = errors.counts(pronunciations).sum(0)
    assert errors.per(totals) == pytest.approx(100 * (0 + 1 + 0 + 1 + 1) / (4 + 3 + 6 + 1 + 3))
    assert errors.wer(totals) == pytest.approx(100 * 3 / 5)


def test_of_equally_near_references_the_longest_counts_in_any_order():
    near = [["a", "b"], ["a", "b", "c", "d"]]
    assert edits_to_nearest(["a", "b", "c"], near) == edits_to_nearest(["a", "b", "c"], near[::-1]) == (1, 4)


def test_case_and_spaces():
    references = [["ah  l", "x"]]
    mixed, ignoring = (PhonemeErrors(references, lowercase=lowercase) for lowercase in (False, True))
    assert mixed.counts(["AH L"]).tolist() == [[2, 2, 1, 1]]
    assert ignoring.counts([" AH L "]).tolist() == [[0, 2, 0, 1]]
    assert "case:lc" in ignoring.signature
    assert "case:mixed" in mixed.signature


TEXTS = ["Die Katze sitzt auf der Matte.", "", "Ein Hund lief schnell", "Haus"]
SINGLE = ["Die Katze saß auf der Matte.", "Etwas fehlt.", "ein Hund läuft", "Haus"]


def test_cer_is_that_of_jiwer():
    # jiwer 4.0.0: jiwer.cer(SINGLE, TEXTS)
    errors = CharacterErrors([[text] for text in SINGLE], lowercase=False)
    assert errors.cer(errors.counts(TEXTS).sum(0)) == pytest.approx(46.551724137931033, abs=1e-12)


def test_cer_takes_the_nearest_reference_and_the_case_as_it_is_told():
    references = [["ein Hund läuft", "Ein Hund lief schnell!"], ["haus", "Hausboot"]]
    texts = ["Ein Hund lief schnell", "HAUS"]
    mixed, lower = (CharacterErrors(references, lowercase=lowercase) for lowercase in (False, True))
    nearest = [
        min((by_definition(text, one), -len(one)) for one in many)
        for text, many in zip(texts, references, strict=True)
    ]
    assert mixed.counts(texts).tolist() == [[count, -length] for count, length in nearest]
    assert lower.counts(texts).tolist() == [[1, 22], [0, 4]]
    assert lower.cer(lower.counts(texts).sum(0)) == pytest.approx(100 / 26)
    assert (mixed.signature, lower.signature) == ("refs:nearest|case:mixed|tok:none", "refs:nearest|case:lc|tok:none")
