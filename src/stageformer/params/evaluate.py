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
    """How translations are scored, and which pictures are drawn."""

    lowercase: bool = param("score without regard to case")
    bleu_tokenize: str = param("tokenisation of sacreBLEU", choices=BLEU_TOKENIZATIONS)
    moses_language: str | None = param(
        "target language, to report BLEU of lower-cased text tokenised by Moses as well; null: not reported",
        choices=MOSES_LANGUAGES,
    )
    phonemes: bool = param("the target is phonemes with spaces between them: report PER and WER as well")
    num_pictures: int = param("number of sentences whose attention is drawn", minimum=0)
