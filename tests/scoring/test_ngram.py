"""The n-gram model against NLTK's, and against the formulas of the paper."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from nltk.lm import KneserNeyInterpolated
from nltk.lm.vocabulary import Vocabulary
from nltk.util import everygrams

from stageformer.scoring.ngram import FALLBACK, NGramModel, estimated_discounts

BOS, EOS, SIZE = 1, 2, 12


def corpus(seed: int, count: int) -> list[list[int]]:
    """Sentences in which the next token depends on the one before it."""
    generator = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        sentence = [int(generator.integers(3, SIZE))]
        while generator.random() < 0.8:
            sentence.append(3 + (sentence[-1] * 2 + int(generator.integers(0, 3))) % (SIZE - 3))
        sentences.append([*sentence, EOS])
    return sentences


def flat(sentences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array(list(itertools.chain.from_iterable(sentences)), np.int32),
        np.array([len(sentence) for sentence in sentences], np.int64),
    )


def model(sentences: list[list[int]], order: int, **settings: object) -> NGramModel:
    return NGramModel.of(*flat(sentences), order, bos_id=BOS, vocabulary_size=SIZE, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [2, 3])
def test_it_equals_kneser_ney_of_nltk(order: int) -> None:
    """NLTK has one discount for all counts, none for single tokens, and knows no <bos> in the lower orders."""
    train, unseen = corpus(1, 300), corpus(2, 60)
    reference = KneserNeyInterpolated(order, discount=0.4)
    grams = [list(everygrams([str(token) for token in (BOS, *sentence)], max_len=order)) for sentence in train]
    reference.fit(grams, Vocabulary(map(str, range(SIZE)), unk_cutoff=1))
    one = (0.4, 0.4, 0.4)
    ours = model(train, order, discounts=[(0.0, 0.0, 0.0)] + [one] * (order - 1))
    found = iter(ours.log_probabilities(*flat(unseen)).tolist())
    compared = 0
    for sentence in unseen:
        for place, token in enumerate(sentence):
            value = next(found)
            before = [BOS, *sentence[:place]][-(order - 1) :]
            if len(before) == order - 1 and (order == 2 or before[0] == BOS or place >= 2):
                expected = reference.score(str(token), [str(other) for other in before])
                assert value == pytest.approx(math.log(expected) if expected else -math.inf, rel=1e-9)
                compared += 1
    assert compared > 100


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_probabilities_of_all_tokens_sum_to_one(order: int) -> None:
    """After a beginning that was seen, after one that was not, and at the start."""
    ours = model(corpus(1, 100), order)
    for beginning in ([], [4], [4, 5, 6], [11, 11, 11, 11], [3, 9, 4, 4, 8, 8]):
        sentences = [[*beginning, token] for token in range(SIZE) if token not in (0, BOS)]
        last = np.cumsum([len(sentence) for sentence in sentences]) - 1
        assert np.exp(ours.log_probabilities(*flat(sentences))[last]).sum() == pytest.approx(1.0, abs=1e-12)


def test_a_larger_order_predicts_its_own_kind_of_text_better_than_single_tokens() -> None:
    train, unseen = corpus(1, 2000), flat(corpus(2, 300))
    means = [-model(train, order).log_probabilities(*unseen).mean() for order in (1, 2, 5)]
    assert means[1] < means[0] - 0.4
    assert means[2] < means[1] + 0.05  # the text has no more memory than one token: it is not overfitted


def test_discounts_are_those_of_chen_and_goodman() -> None:
    counts = np.array([1] * 50 + [2] * 20 + [3] * 10 + [4] * 6 + [9] * 4)
    of_count = Counter(counts.tolist())
    share = 50 / (50 + 2 * 20)
    expected = [n - (n + 1) * share * of_count[n + 1] / of_count[n] for n in (1, 2, 3)]
    assert estimated_discounts(counts) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [[5, 6, 7], [1, 1, 2, 2, 4], [1] * 10 + [2] + [3] * 10])
def test_too_few_counts_have_the_discounts_of_kenlm(counts: list[int]) -> None:
    assert estimated_discounts(np.array(counts)) == FALLBACK
