"""One seed in all stages that draw random numbers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

SEEDS = ("embed.seed", "train_encoder.training.seed", "encode.seed", "train_decoder.training.seed")
"""The parameters that a seed is in. The seed of the split of the corpus is none of them."""


def seeded(values: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return parameters with ``seed`` in all of ``SEEDS``, so that runs differ in chance alone and score one corpus."""
    result = copy.deepcopy(dict(values))
    for key in SEEDS:
        *groups, last = key.split(".")
        place = result
        for group in groups:
            place = place[group]
        place[last] = seed
    return result
