"""Parameters of the stage ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param


@dataclass(frozen=True)
class Evaluate:
    """How the test sentences are translated and scored."""

    split: str = param("split to score", choices=("train", "valid", "test"))
    beam_size: int = param("hypotheses kept at each step; 1: greedy", minimum=1)
    length_penalty: float = param("alpha of the length penalty ((5 + length) / 6) ** alpha", minimum=0)
    max_length_ratio: float = param("longest translation: this many tokens a source token ...", minimum=0)
    max_length_offset: int = param("... plus this many", minimum=1)
    batch_tokens: int = param("largest number of source tokens of a batch, padding included", minimum=1)
    lowercase: bool = param("score without regard to case")
    bleu_tokenize: str = param("tokenisation of sacreBLEU", choices=("13a", "intl", "char", "zh", "ja-mecab", "none"))
    num_pictures: int = param("number of sentences whose attention is drawn", minimum=0)
