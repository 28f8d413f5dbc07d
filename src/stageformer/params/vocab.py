"""Parameters of the stage ``vocab``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Vocab:
    """Which tokens get an id."""

    shared: bool = param("one vocabulary for both sides; false: one a side")
    min_frequency: int = param("tokens seen less often in train become <unk>", minimum=1)
    max_size: int | None = param("largest number of entries, special tokens included; null: no limit", minimum=5)
