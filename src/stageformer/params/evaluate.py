"""Parameters of the stage ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass

from stageformer.params.base import param

BLEU_TOKENIZATIONS = ("13a", "intl", "char", "zh", "ja-mecab", "none")
"""Those of sacreBLEU that can be asked for."""

MOSES_LANGUAGES = tuple(
    "as bn ca cs de el en es et fi fr ga gu hi hu is it kn lt lv ml mni mr nl or pa pl pt ro ru sk sl sv ta tdt te "
    "yue zh".split()
)
"""Codes of the languages whose abbreviations Moses knows."""


@dataclass(frozen=True)
class Evaluate:
    """How the test sentences are translated and scored."""

    split: str = param("split to score", choices=("train", "valid", "test"))
    beam_size: int = param("hypotheses kept at each step; 1: greedy", minimum=1)
    length_penalty: float = param("alpha of the length penalty", minimum=0)
    length_normalisation: str = param("the length penalty: ((5 + length) / 6) ** alpha, or length ** alpha",
                                      choices=("paper", "length"))
    early_stopping: bool = param("end a beam search at the first translation, though a longer one could still beat it")
    max_length_ratio: float = param("longest translation: this many tokens a source token ...", minimum=0)
    max_length_offset: int = param("... plus this many", minimum=1)
    min_length_ratio: float = param("shortest translation: this many tokens a source token", minimum=0)
    batch_tokens: int = param("largest number of source tokens of a batch, padding included", minimum=1)
    lowercase: bool = param("score without regard to case")
    bleu_tokenize: str = param("tokenisation of sacreBLEU", choices=BLEU_TOKENIZATIONS)
    moses_language: str | None = param(
        "target language, to report BLEU of lower-cased text tokenised by Moses as well; null: not reported",
        choices=MOSES_LANGUAGES,
    )
    phonemes: bool = param("the target is phonemes with spaces between them: report PER and WER as well")
    num_pictures: int = param("number of sentences whose attention is drawn", minimum=0)
