"""Parameters of the stage ``translate``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Translate:
    """How the sentences of a split are translated."""

    split: str = param("split to translate and to score", choices=("train", "valid", "test"))
    beam_size: int = param("hypotheses kept at each step; 1: greedy", minimum=1)
    length_penalty: float = param("alpha of the length penalty", minimum=0)
    length_normalisation: str = param("the length penalty: ((5 + length) / 6) ** alpha, or length ** alpha",
                                      choices=("paper", "length"))
    early_stopping: bool = param("end a beam search at the first translation, though a longer one could still beat it")
    max_length_ratio: float = param("longest translation: this many tokens a source token ...", minimum=0)
    max_length_offset: int = param("... plus this many", minimum=1)
    min_length_ratio: float = param("shortest translation: this many tokens a source token", minimum=0)
    batch_tokens: int = param("largest number of source tokens of a batch, padding included", minimum=1)
