"""Parameters of the stage ``translate``."""

from __future__ import annotations

from typing import Literal

from stageformer.params.base import MAX_TOKENS, Params, param


class Translate(Params):
    """How the sentences of a split are translated."""

    split: Literal["train", "valid", "test"] = param("split to translate and to score")
    beam_size: int = param("hypotheses kept at each step; 1: greedy", minimum=1, maximum=1000)
    length_penalty: float = param("alpha of the length penalty", minimum=0, maximum=100)
    length_normalisation: Literal["paper", "length"] = param(
        "the length penalty: ((5 + length) / 6) ** alpha, or length ** alpha"
    )
    early_stopping: bool = param("end a beam search at the first finished translation, even if a longer one could win")
    max_length_ratio: float = param(
        "longest translation: this many tokens per source token ...", minimum=0, maximum=1000
    )
    max_length_offset: int = param("... plus this many", minimum=1, maximum=1_000_000)
    min_length_ratio: float = param("shortest translation: this many tokens per source token", minimum=0, maximum=1000)
    batch_tokens: int = param(
        "largest number of source tokens of a batch, padding included", minimum=1, maximum=MAX_TOKENS
    )
