"""Corpus and sentence scores by sacreBLEU (Post 2018), so that they can be compared with what others report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from stageformer.errors import StageformerError

DIGITS = 4
"""Decimals that are kept: more than anyone reads, fewer than the last bits in which machines differ."""


@dataclass(frozen=True)
class SentenceScores:
    """How good one translation is."""

    bleu: float
    """0 to 100; n-gram orders longer than the sentence do not count (effective order)"""
    chrf: float
    """0 to 100"""
    exact_match: bool
    """it equals one of the references"""


class Scorer:
    """Compares translations of the same sentences, by any number of systems, with their references.

    Args:
        references: one or more texts a sentence, as many as there are.
        lowercase: without regard to case; the signatures say so.
        bleu_tokenize: the tokenisation of sacreBLEU, such as ``13a`` or ``intl``. It acts on BLEU alone.

    Raises:
        StageformerError: the tokenisation needs a package that is not installed.
    """

    def __init__(self, references: Sequence[Sequence[str]], *, lowercase: bool, bleu_tokenize: str) -> None:
        self.references = references
        self.lowercase = lowercase
        columns = _columns(references)
        try:
            self._bleu = BLEU(lowercase=lowercase, tokenize=bleu_tokenize, references=columns)
        except (ImportError, RuntimeError) as error:
            raise StageformerError(
                f"params: evaluate.bleu_tokenize is {bleu_tokenize!r}, for which sacreBLEU lacks a package "
                f"({' '.join(str(error).split())})"
            ) from None
        # Metrics of their own: scoring a sentence changes the number of references in the signature.
        self._sentence_bleu = BLEU(lowercase=lowercase, tokenize=bleu_tokenize, effective_order=True)
        self._sentence_chrf = CHRF(lowercase=lowercase)
        self._chrf = CHRF(lowercase=lowercase, references=columns)
        self._ter = TER(case_sensitive=not lowercase, references=columns)

    @property
    def signatures(self) -> dict[str, str]:
        """How the scores are computed, in the notation of sacreBLEU: what makes them comparable."""
        metrics = {"bleu": self._bleu, "chrf": self._chrf, "ter": self._ter}
        return {f"{name}_signature": str(metric.get_signature()) for name, metric in metrics.items()}

    def corpus(self, translations: Sequence[str]) -> dict[str, Any]:
        """Score all translations together.

        Returns:
            ``bleu``, ``chrf``, ``ter`` (percent; a lower TER is better, it may exceed 100), ``exact_match`` (percent
            of the translations that equal a reference), ``length_ratio`` (tokens of BLEU to those of the closest
            references) and ``empty`` (number of translations without a character).
        """
        ter = self._ter.corpus_score(translations, None).score
        ratio = self._bleu.corpus_score(translations, None).ratio
        return self.brief(translations) | {
            "ter": round(ter, DIGITS),
            "length_ratio": round(ratio, DIGITS),
            "empty": sum(not translation for translation in translations),
        }

    def brief(self, translations: Sequence[str]) -> dict[str, float]:
        """Return ``bleu``, ``chrf`` and ``exact_match`` of :meth:`corpus` alone, which takes less time."""
        matches = sum(map(self._is_exact, translations, self.references))
        return {
            "bleu": round(self._bleu.corpus_score(translations, None).score, DIGITS),
            "chrf": round(self._chrf.corpus_score(translations, None).score, DIGITS),
            "exact_match": round(100 * matches / len(translations), DIGITS),
        }

    def sentences(self, translations: Sequence[str]) -> list[SentenceScores]:
        """Score each translation by itself."""
        return [
            SentenceScores(
                bleu=self._sentence_bleu.sentence_score(translation, list(texts)).score,
                chrf=self._sentence_chrf.sentence_score(translation, list(texts)).score,
                exact_match=self._is_exact(translation, texts),
            )
            for translation, texts in zip(translations, self.references, strict=True)
        ]

    def _is_exact(self, translation: str, references: Sequence[str]) -> bool:
        if self.lowercase:
            return translation.lower() in {text.lower() for text in references}
        return translation in references


def _columns(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turn the references of each sentence into the sequences that sacreBLEU wants; None where a sentence has fewer."""
    most = max(map(len, references))
    return [[texts[n] if n < len(texts) else None for texts in references] for n in range(most)]
