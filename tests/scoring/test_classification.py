"""Scores of labels: as scikit-learn and seqeval compute them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score as span_f1
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from stageformer.scoring.classification import (
    LabelCounts,
    Prediction,
    bio_spans,
    by_label,
    calibration,
    confusion,
    is_bio,
)

LABELS = st.sampled_from(["a", "b", "c", "d"])
TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


def scores(kind: str, rows: list[Prediction]) -> dict[str, float]:
    layout = LabelCounts.of(kind, rows)
    return layout.scores(layout.counts(rows).sum(0))


@settings(deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30))
def test_one_label_is_scored_as_by_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    rows = [Prediction(id_, [right], [guess]) for id_, (right, guess) in enumerate(pairs)]
    right, guess = zip(*pairs, strict=True)
    found = scores("one", rows)
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(right, guess))
    assert found["macro_f1"] == pytest.approx(100 * f1_score(right, guess, average="macro", zero_division=0))
    names = sorted({*right, *guess})
    counts = confusion("one", rows, names)
    assert [[counts[a, b] for b in names] for a in names] == confusion_matrix(right, guess, labels=names).tolist()
    layout = LabelCounts.of("one", rows)
    ours = {label.label: label[1:] for label in by_label(layout, layout.counts(rows).sum(0))}
    theirs = precision_recall_fscore_support(right, guess, labels=names, zero_division=0)
    for number, name in enumerate(names):
        shares = (part[number] for part in theirs[:3])
        assert ours[name] == pytest.approx((theirs[3][number], guess.count(name), *shares))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(LABELS), st.sets(LABELS)), min_size=1, max_size=20).filter(
    lambda pairs: any(right or guess for right, guess in pairs)))  # fmt: skip
def test_several_labels_are_scored_as_by_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    rows = [Prediction(id_, sorted(right), sorted(guess)) for id_, (right, guess) in enumerate(pairs)]
    found = scores("several", rows)
    names = MultiLabelBinarizer(classes=list("abcd")).fit([])
    right, guess = (names.transform([pair[side] for pair in pairs]) for side in (0, 1))
    assert found["exact_match"] == pytest.approx(100 * accuracy_score(right, guess))
    occurring = np.flatnonzero((right + guess).sum(0))
    for average in ("micro", "macro"):
        expected = f1_score(right, guess, labels=occurring, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(100 * expected)


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=6))
def test_spans_are_those_of_seqeval(sentences: list[list[tuple[str, str]]]) -> None:
    right = [[pair[0] for pair in sentence] for sentence in sentences]
    guess = [[pair[1] for pair in sentence] for sentence in sentences]
    for tags in right:
        assert bio_spans(tags) == {(first, last + 1, kind) for kind, first, last in get_entities(tags)}
    rows = [Prediction(id_, *both) for id_, both in enumerate(zip(right, guess, strict=True))]
    if not is_bio({tag for tags in right for tag in tags}):
        assert "span_f1" not in scores("tags", rows)
    elif any(get_entities(tags) for tags in (*right, *guess)):
        assert scores("tags", rows)["span_f1"] == pytest.approx(100 * span_f1(right, guess, zero_division=0))


def test_words_that_the_head_could_not_read_are_wrong() -> None:
    rows = [Prediction(1, ["a", "b"], ["a", "b"]), Prediction(2, ["a", "a"], [])]
    assert scores("tags", rows)["accuracy"] == pytest.approx(50.0)
    assert confusion("tags", rows, ["a", "b"])["a", ""] == 2


def test_calibration_by_hand() -> None:
    probabilities = np.array([0.95, 0.85, 0.81, 0.3, 1.0])
    right = np.array([True, True, False, False, True])
    error, bins = calibration(probabilities, right)
    assert [bin_.examples for bin_ in bins] == [1, 2, 2]
    assert bins[1].probability == pytest.approx(0.83)
    assert bins[1].accuracy == pytest.approx(0.5)
    assert error == pytest.approx((0.3 + 2 * 0.33 + 2 * 0.025) / 5)
