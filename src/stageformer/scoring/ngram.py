"""An n-gram model of ids, the baseline of a language model: interpolated modified Kneser-Ney smoothing.

The formulas are those of Chen and Goodman (1999), section 3, with one <bos> before each sentence, as KenLM has it
(Heafield et al. 2013). An n-gram that begins with <bos> has no token before it, and keeps its plain count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Discounts = tuple[float, float, float]
"""What is taken from a count of 1, of 2, and of 3 or more."""

FALLBACK: Discounts = (0.5, 1.0, 1.5)
"""The discounts of KenLM where a corpus is too small, or too regular, to estimate them."""


@dataclass(frozen=True)
class _Order:
    """All n-grams of one length, as a (n-1)-gram and a token: ``key = context * V + token``, in rising order."""

    keys: Ints
    """``[n-grams]``"""
    discounted: Floats
    """``[n-grams]``: their counts, less the discount"""
    totals: Floats
    """``[contexts]``: the sum of the counts after each (n-1)-gram; 0: nothing was seen after it"""
    left_over: Floats
    """``[contexts]``: the sum of the discounts"""


class NGramModel:
    """Conditional probabilities of the next token, given up to ``order - 1`` before it.

    Make one with :meth:`of`.
    """

    def __init__(self, orders: Sequence[_Order], bos_id: int, vocabulary_size: int) -> None:
        self._orders = orders
        self._bos_id = bos_id
        self._vocabulary_size = vocabulary_size

    @classmethod
    def of(
        cls,
        ids: Ids,
        lengths: Ints,
        order: int,
        *,
        bos_id: int,
        vocabulary_size: int,
        discounts: Sequence[Discounts] | None = None,
    ) -> NGramModel:
        """Count the n-grams of sentences.

        Args:
            ids: of all sentences in a row, <eos> at the end of each and no <bos>, ``[tokens]``, at least one.
            lengths: tokens of each sentence, ``[sentences]``.
            order: the largest n.
            bos_id: the id that is put before each sentence; it is never predicted.
            vocabulary_size: V; the rest of the probability is spread over all of them but <pad> and <bos>.
            discounts: for each n from 1; None: estimated by :func:`estimated_discounts`.
        """
        tokens, place = _with_bos(ids, lengths, bos_id)
        context = np.zeros(len(tokens), dtype=np.int64)  # the number of the (n-1)-gram before each position
        all_keys, all_counts, ends, grams = list[Ints](), list[Ints](), list[Ints](), list[Ints]()
        for n in range(1, order + 1):
            positions = np.flatnonzero(place >= n - 1)
            keys, first, gram, counts = np.unique(
                context[positions] * vocabulary_size + tokens[positions],
                return_index=True, return_inverse=True, return_counts=True,
            )  # fmt: skip
            all_keys.append(keys)
            all_counts.append(counts)
            ends.append(positions[first])  # a position at which each n-gram ends
            grams.append(np.full(len(tokens), -1, dtype=np.int64))
            grams[-1][positions] = gram
            context = np.concatenate([[-1], grams[-1][:-1]])
        orders = []
        for n, (keys, counts) in enumerate(zip(all_keys, all_counts, strict=True), start=1):
            if n < order:  # how many different tokens stand before it; where <bos> begins it, how often it occurs
                continued = np.bincount(grams[n - 1][ends[n]], minlength=len(keys))
                counts = np.where(place[ends[n - 1]] == n - 1, counts, continued)
            if n == 1:
                counts = np.where(keys == bos_id, 0, counts)
            contexts = len(all_keys[n - 2]) if n > 1 else 1
            given = discounts[n - 1] if discounts else estimated_discounts(counts)
            orders.append(_order(keys, counts, keys // vocabulary_size, contexts, given))
        return cls(orders, bos_id, vocabulary_size)

    def log_probabilities(self, ids: Ids, lengths: Ints) -> Floats:
        """Return the natural logarithm of the probability of each token, given those before it, ``[tokens]``.

        The arguments are those of :meth:`of`.
        """
        tokens, place = _with_bos(ids, lengths, self._bos_id)
        probability = np.full(len(tokens), 1 / (self._vocabulary_size - 2))
        context = np.zeros(len(tokens), dtype=np.int64)
        for n, order in enumerate(self._orders, start=1):
            known = (context >= 0) & (place >= n - 1)
            key = np.where(known, context * self._vocabulary_size + tokens, -1)
            gram = np.searchsorted(order.keys, key).clip(max=len(order.keys) - 1)
            seen = known & (order.keys[gram] == key)
            total = np.where(known, order.totals[context], 0.0)
            share = np.where(seen, order.discounted[gram], 0.0) + order.left_over[context] * probability
            np.divide(share, total, out=probability, where=total > 0)
            context = np.concatenate([[-1], np.where(seen, gram, -1)[:-1]])
        found: Floats = np.log(probability[place > 0])
        return found


def _with_bos(ids: Ids, lengths: Ints, bos_id: int) -> tuple[Ints, Ints]:
    """Return all tokens in a row, <bos> before each sentence, and the place of each in its sentence."""
    lengths = lengths + 1
    starts = np.cumsum(lengths) - lengths
    tokens = np.full(int(lengths.sum()), bos_id, dtype=np.int64)
    place = np.arange(len(tokens)) - np.repeat(starts, lengths)
    tokens[place > 0] = ids
    return tokens, place


def _order(keys: Ints, counts: Ints, context: Ints, contexts: int, discounts: Discounts) -> _Order:
    by_count = np.array([0.0, *discounts])
    taken = np.minimum(by_count[counts.clip(max=3)], counts)
    totals, left_over = (
        np.bincount(context, weights=each, minlength=contexts).astype(np.float64) for each in (counts, taken)
    )
    return _Order(keys, counts - taken, totals, left_over)


def estimated_discounts(counts: Ints) -> Discounts:
    """Return the discounts of n-grams with these ``counts [n-grams]``: equation 26 of Chen and Goodman (1999)."""
    of_count = np.bincount(counts, minlength=5)
    n1, n2, n3, n4 = (int(of_count[count]) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    return found if all(0 <= value <= most for most, value in enumerate(found, start=1)) else FALLBACK
