"""The unigram language model, held against an enumeration of all segmentations."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from stageformer.text.unigram_training import _Corpus, _digamma, learn_pieces

WORDS = {"abab": 5, "abc": 3, "cab": 2, "b": 4, "abcabc": 1}


def segmentations(word: str) -> list[list[str]]:
    cuts = itertools.product([False, True], repeat=len(word) - 1)
    return [
        "".join(c + ("|" if cut else "") for c, cut in zip(word, [*places, False], strict=True)).split("|")
        for places in cuts
    ]


def test_expected_counts_are_those_of_all_segmentations() -> None:
    corpus = _Corpus(WORDS)
    corpus.find_candidates(100)
    scores = np.log(np.arange(1, len(corpus.pieces) + 1) / 100)
    probability = dict(zip(corpus.pieces, np.exp(scores), strict=True))
    expected: Counter[str] = Counter()
    for word, count in WORDS.items():
        possible = [cut for cut in segmentations(word) if all(piece in probability for piece in cut)]
        weights = [math.prod(probability[piece] for piece in cut) for cut in possible]
        for cut, weight in zip(possible, weights, strict=True):
            for piece in cut:
                expected[piece] += count * weight / sum(weights)
    computed = dict(zip(corpus.pieces, corpus.expected_counts(scores), strict=True))
    assert computed == pytest.approx({piece: expected[piece] for piece in corpus.pieces})


def test_alternatives_are_the_best_of_all_other_segmentations() -> None:
    corpus = _Corpus(WORDS)
    corpus.find_candidates(100)
    scores = np.log(np.arange(1, len(corpus.pieces) + 1) / 100)
    score = dict(zip(corpus.pieces, scores, strict=True))
    alternatives = corpus.alternative_scores(scores)
    for piece, alternative in zip(corpus.pieces, alternatives, strict=True):
        cuts = [cut for cut in segmentations(piece) if len(cut) > 1 and all(part in score for part in cut)]
        assert alternative == pytest.approx(max((sum(score[part] for part in cut) for cut in cuts), default=-np.inf))


def test_candidates_are_the_substrings_seen_twice() -> None:
    corpus = _Corpus(WORDS)
    corpus.find_candidates(100)
    seen: Counter[str] = Counter()
    for word, count in WORDS.items():
        for start, end in itertools.combinations(range(len(word) + 1), 2):
            seen[word[start:end]] += count
    assert dict(zip(corpus.pieces, corpus.counts, strict=True)) == {
        piece: count for piece, count in seen.items() if count >= 2 or len(piece) == 1
    }


def test_pieces_are_a_distribution_with_every_character() -> None:
    pieces = learn_pieces(WORDS, 5)
    assert len(pieces) == 5
    assert {"a", "b", "c"} <= {piece for piece, _ in pieces}
    assert pieces == sorted(pieces, key=lambda entry: (-entry[1], entry[0]))
    assert 0.5 < sum(math.exp(score) for _, score in pieces) <= 1


def test_order_of_the_words_does_not_matter() -> None:
    assert learn_pieces(WORDS, 6) == learn_pieces(dict(reversed(WORDS.items())), 6)


def test_digamma() -> None:
    known = {0.5: -1.9635100260214235, 1.0: -0.5772156649015329, 10.0: 2.251752589066721, 1e6: 13.815510057964191}
    assert _digamma(np.array(list(known))) == pytest.approx(np.array(list(known.values())), abs=1e-8)
