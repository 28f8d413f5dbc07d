"""Learning rate by update."""

from __future__ import annotations

import math

from stageformer.params.training import Training


def learning_rate(update: int, training: Training) -> float:
    """Return the learning rate of an update, the first of which is 1.

    It rises linearly to ``training.learning_rate`` over the warm-up. After that it is constant, falls with the inverse
    square root of the update (section 5.3 of the paper), or falls to zero after ``max_updates``: in a line or a half
    cosine.
    """
    peak, warmup = training.learning_rate, training.warmup_updates
    if update <= warmup:
        return peak * update / warmup
    if training.schedule == "constant":
        return peak
    if training.schedule == "inverse_sqrt":
        return peak * math.sqrt(max(warmup, 1) / update)
    left = (training.max_updates - update + 1) / (training.max_updates - warmup)
    if training.schedule == "linear":
        return peak * left
    return peak * 0.5 * (1 - math.cos(math.pi * left))
