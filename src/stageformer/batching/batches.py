"""Batches by a budget of tokens, of sentences of similar length, in an order that follows from seed and epoch alone."""

from __future__ import annotations

import numpy as np

from stageformer.batching.sentences import Ints

FILL = 0.93
"""The share of the budget that a batch is planned to use; padding may take the rest."""


def plan_batches(source_lengths: Ints, target_lengths: Ints, batch_tokens: int, *, seed: int, epoch: int) -> list[Ints]:
    """Cut a shuffled corpus into batches of at most ``batch_tokens`` on either side, padding included.

    The corpus is halved by source or by target length, whichever leaves less padding, and so is each half, down to
    single batches: sentences of one batch are alike on both sides. Which of several sentences of equal lengths meet in
    a batch is random, and so is the order of the batches.

    Args:
        source_lengths: tokens of each source, ``[sentences]``
        target_lengths: tokens of each target, ``[sentences]``
        batch_tokens: the budget; a single longer sentence makes a batch of its own
        seed: the seed of the training
        epoch: the number of the pass through the corpus

    Returns:
        Row numbers of each batch.
    """
    generator = np.random.default_rng([seed, epoch])
    longer = np.maximum(source_lengths, target_lengths)
    tokens = np.minimum(longer, batch_tokens)  # an over-long sentence fills one batch
    batches: list[Ints] = []
    waiting = [(generator.permutation(len(longer)), round(tokens.sum() / (FILL * batch_tokens)))]
    while waiting:
        rows, num_batches = waiting.pop()
        fits = num_batches <= 1 and longer[rows].max(initial=0) * len(rows) <= batch_tokens
        if fits or len(rows) <= 1:
            batches.append(rows)
            continue
        num_batches = max(num_batches, 2)
        num_left = num_batches // 2
        # The sort is stable, so that equals keep their random order.
        orders = [rows[np.argsort(side[rows], kind="stable")] for side in (source_lengths, target_lengths)]
        left, right = min(
            (_split(order, tokens, num_left / num_batches) for order in orders),
            key=lambda halves: sum(len(h) * int(source_lengths[h].max() + target_lengths[h].max()) for h in halves),
        )
        waiting += [(left, num_left), (right, num_batches - num_left)]
    return [batches[index] for index in generator.permutation(len(batches)) if len(batches[index])]


def _split(rows: Ints, tokens: Ints, share: float) -> tuple[Ints, Ints]:
    """Cut two or more rows in two, neither empty, so that ``share`` of their tokens are in the first part."""
    so_far = np.cumsum(tokens[rows])
    end = int(np.searchsorted(so_far, so_far[-1] * share, side="right"))
    end = min(max(end, 1), len(rows) - 1)
    return rows[:end], rows[end:]


def cut_batches(lengths: Ints, batch_tokens: int) -> list[slice]:
    """Cut a row of sentences into runs whose longest length times number stays within ``batch_tokens``."""
    slices = []
    start, longest = 0, 0
    for index, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if index > start and longest * (index - start + 1) > batch_tokens:
            slices.append(slice(start, index))
            start, longest = index, length
    if start < len(lengths):
        slices.append(slice(start, len(lengths)))
    return slices


def batches_by_length(lengths: Ints, batch_tokens: int) -> list[Ints]:
    """Cut sentences, sorted by length and otherwise in their order, into batches: for encoding and decoding."""
    order = np.argsort(lengths, kind="stable")
    return [order[part] for part in cut_batches(lengths[order], batch_tokens)]
