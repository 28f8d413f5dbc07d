"""Training of the unigram language model of pieces (Kudo 2018, "Subword Regularization", section 3.2).

Written here because the library's own trainer adds probabilities up in the order of a hash table with a random seed,
and so gives other bytes on each run. This one is vectorised over all distinct words and deterministic.

1. Candidates: the characters, and the frequent substrings of words.
2. Expectation maximisation: the expected count of each piece over all segmentations of all words (forward-backward),
   and from it the probability.
3. Pruning: the pieces whose absence costs the least likelihood go, a quarter at a time; characters always stay.
   2 and 3 alternate until the wanted size is reached.

A *position* is a character of the distinct words laid end to end. ``edges[position, length - 1]`` is the piece of that
length that begins there, or -1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stageformer.text.long_words import count_parts

LONGEST_PIECE = 16  # characters
CANDIDATES_PER_PIECE = 10  # substrings to start from, for each piece to be learnt
KEPT_IN_PRUNING = 0.75
EM_STEPS = 2  # between two prunings
MOST_CHARACTERS = 4_000_000  # of distinct words, the most frequent first: bounds the memory at some 500 MB

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def learn_pieces(words: Mapping[str, int], vocabulary_size: int) -> list[tuple[str, float]]:
    """Return the pieces with their log probabilities, the likeliest first, ties by piece.

    Args:
        words: the count of each distinct word.
        vocabulary_size: how many pieces to learn: more if the words have more distinct characters than this, fewer if
            fewer have an expected count.
    """
    corpus = _Corpus(count_parts(words))
    corpus.find_candidates(vocabulary_size * CANDIDATES_PER_PIECE)
    alive = np.ones(len(corpus.pieces), dtype=bool)
    target = max(vocabulary_size, int(corpus.is_character.sum()))
    scores = _log_probabilities(corpus.counts, alive)
    while True:
        for _ in range(EM_STEPS):
            expected = corpus.expected_counts(scores)
            alive &= corpus.is_character | (expected >= 0.5)
            scores = _log_probabilities(expected, alive)
        if alive.sum() <= target:
            break
        keep = max(target, int(alive.sum() * KEPT_IN_PRUNING))
        left = np.flatnonzero(alive)
        loss = expected[left] * (scores[left] - corpus.alternative_scores(scores)[left])
        loss[corpus.is_character[left]] = np.inf
        # A stable sort: equal losses keep the order of the candidates, which is fixed.
        alive[left[np.argsort(-loss, kind="stable")[keep:]]] = False
        scores = _log_probabilities(expected, alive)
    # Rounded: six digits change no segmentation that matters, and hide the last bit of another processor's logarithm.
    learnt = [(piece, round(float(scores[i]), 6)) for i, piece in enumerate(corpus.pieces) if alive[i]]
    return sorted(learnt, key=lambda entry: (-entry[1], entry[0]))


class _Corpus:
    """The distinct words as arrays, the longest word first, so that the words with a t-th character are a prefix."""

    def __init__(self, words: Mapping[str, int]) -> None:
        chosen: list[tuple[str, int]] = []
        room = MOST_CHARACTERS
        seen: set[str] = set()
        for word, count in sorted(words.items(), key=lambda entry: (-entry[1], entry[0])):
            room -= len(word)
            # Words beyond the room only lend the characters that no word before had.
            if room >= 0 or not seen.issuperset(word):
                chosen.append((word, count))
                seen.update(word)
        chosen.sort(key=lambda entry: (-len(entry[0]), entry[0]))
        self._text = "".join(word for word, _ in chosen)
        self._lengths: Integers = np.array([len(word) for word, _ in chosen], dtype=np.int64)
        self._starts: Integers = np.cumsum(self._lengths) - self._lengths
        weights: Floats = np.array([count for _, count in chosen], dtype=np.float64)
        self._weights: Floats = np.repeat(weights, self._lengths)
        # How many characters of its word begin at each position: no piece crosses the end of a word.
        self._room: Integers = np.repeat(self._starts + self._lengths, self._lengths) - np.arange(len(self._text))
        self._edges = np.full((len(self._text), LONGEST_PIECE), -1, dtype=np.int32)

    def find_candidates(self, limit: int) -> None:
        """Fill the edges with all characters and the ``limit`` best substrings seen twice, by count times length."""
        codes = np.frombuffer(self._text.encode("utf-32-le"), dtype="<u4").astype(np.int64)
        _, characters = np.unique(codes, return_inverse=True)
        substring: Integers = characters.astype(np.int64)
        num_characters = int(characters.max()) + 1 if len(characters) else 0
        firsts: list[Integers] = []
        lengths: list[Integers] = []
        counts: list[Floats] = []
        total = 0
        for length in range(1, LONGEST_PIECE + 1):
            if length > 1:
                # A substring is the one that is a character shorter, and a character; rare ones have no rare extension.
                here = np.flatnonzero((substring >= 0) & (self._room >= length))
                keys = substring[here] * num_characters + characters[here + length - 1]
            else:
                here, keys = np.arange(len(characters)), substring
            _, first_here, inverse = np.unique(keys, return_index=True, return_inverse=True)
            weight = np.bincount(inverse, weights=self._weights[here], minlength=len(first_here)).astype(np.float64)
            frequent = weight >= (2 if length > 1 else 0)
            number = np.where(frequent, np.cumsum(frequent) - 1, -1)
            substring = np.full(len(characters), -1, dtype=np.int64)
            substring[here] = number[inverse]
            self._edges[:, length - 1] = np.where(substring >= 0, substring + total, -1)
            firsts.append(here[first_here[frequent]])
            lengths.append(np.full(int(frequent.sum()), length, dtype=np.int64))
            counts.append(weight[frequent])
            total += int(frequent.sum())
        first, size, count = np.concatenate(firsts), np.concatenate(lengths), np.concatenate(counts)
        best = np.argsort(-np.where(size == 1, np.inf, count * size), kind="stable")[: num_characters + limit]
        renumbered = np.full(total + 1, -1, dtype=np.int32)  # the last entry is that of edge -1
        renumbered[best] = np.arange(len(best))
        self._edges = renumbered[self._edges]
        self._firsts: Integers = first[best]
        self._piece_lengths: Integers = size[best]
        self.counts: Floats = count[best]
        self.is_character: NDArray[np.bool_] = self._piece_lengths == 1
        places = zip(self._firsts.tolist(), self._piece_lengths.tolist(), strict=True)
        self.pieces = [self._text[start : start + length] for start, length in places]

    def expected_counts(self, scores: Floats) -> Floats:
        """Return how often each piece occurs on average over the segmentations of all words: the E step."""
        padded = np.append(scores, -np.inf)  # the score of edge -1
        words = np.arange(len(self._lengths))
        nodes = self._starts + words  # a word of n characters has n + 1 nodes
        forward = np.full(len(self._text) + len(words), -np.inf)
        backward = forward.copy()
        forward[nodes] = 0.0
        backward[nodes + self._lengths] = 0.0
        longest = int(self._lengths.max(initial=0))
        # How many words have at least t characters: they are the first ones.
        reach = np.searchsorted(-self._lengths, -np.arange(longest + 1), side="right")
        for t in range(1, longest + 1):
            node, start = nodes[: reach[t]] + t, self._starts[: reach[t]] + t
            for length in range(1, min(t, LONGEST_PIECE) + 1):
                arriving = forward[node - length] + padded[self._edges[start - length, length - 1]]
                forward[node] = np.logaddexp(forward[node], arriving)
        for t in range(longest - 1, -1, -1):
            for length in range(1, min(longest - t, LONGEST_PIECE) + 1):
                node, start = nodes[: reach[t + length]] + t, self._starts[: reach[t + length]] + t
                leaving = backward[node + length] + padded[self._edges[start, length - 1]]
                backward[node] = np.logaddexp(backward[node], leaving)
        likelihood = np.repeat(forward[nodes + self._lengths], self._lengths)
        node_of = np.arange(len(self._text)) + np.repeat(words, self._lengths)
        expected = np.zeros(len(padded))
        for length in range(1, LONGEST_PIECE + 1):
            here = np.flatnonzero(self._edges[:, length - 1] >= 0)
            piece = self._edges[here, length - 1]
            joint = forward[node_of[here]] + padded[piece] + backward[node_of[here] + length]
            share = np.exp(joint - likelihood[here]) * self._weights[here]
            expected += np.bincount(piece, weights=share, minlength=len(padded))
        return expected[:-1]

    def alternative_scores(self, scores: Floats) -> Floats:
        """Return the best log probability of each piece's string when cut into two or more other pieces."""
        padded = np.append(scores, -np.inf)
        best = np.full((len(scores), LONGEST_PIECE + 1), -np.inf)
        best[:, 0] = 0.0
        for t in range(1, LONGEST_PIECE + 1):
            pieces = np.flatnonzero(self._piece_lengths >= t)
            for length in range(1, t + 1):
                edge = self._edges[self._firsts[pieces] + t - length, length - 1]
                whole = self._piece_lengths[pieces] == length
                arriving = np.where(whole, -np.inf, best[pieces, t - length] + padded[edge])
                best[pieces, t] = np.maximum(best[pieces, t], arriving)
        alternative: Floats = best[np.arange(len(scores)), self._piece_lengths]
        return alternative


def _log_probabilities(counts: Floats, alive: NDArray[np.bool_]) -> Floats:
    """The M step. The digamma function in place of the logarithm is the variational step that favours few pieces."""
    counts = np.where(alive, np.maximum(counts, 0.5), 0.0)
    scores = np.full(len(counts), -np.inf)
    scores[alive] = _digamma(counts[alive]) - _digamma(counts.sum(keepdims=True))
    return scores


def _digamma(x: Floats) -> Floats:
    """The derivative of log gamma: shifted up by its recurrence, then its asymptotic series."""
    shift = np.zeros_like(x)
    for step in range(6):
        shift += 1 / (x + step)
    x = x + 6
    square = 1 / (x * x)
    series: Floats = np.log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square / 252)) - shift
    return series
