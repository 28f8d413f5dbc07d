"""Parameters of the stage ``vocab``."""

from __future__ import annotations

from stageformer.params.base import Params, param


class Vocab(Params):
    """Which tokens get an id."""

    shared: bool = param("one vocabulary for both sides; false: one per side")
    min_frequency: int = param(
        "tokens seen less often in train become <unk>; 0: every token that was learnt has an id",
        minimum=0,
        maximum=1_000_000_000,
    )
    max_size: int | None = param(
        "largest number of entries, special tokens included; null: no limit", minimum=5, maximum=10_000_000
    )
