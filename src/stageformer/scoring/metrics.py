"""Corpus and sentence scores by sacreBLEU (Post 2018), so that they can be compared with what others report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from stageformer.errors import require
from stageformer.params.evaluate import TOKENIZER_PACKAGES
from stageformer.scoring.error_rates import CharacterErrors, PhonemeErrors
from stageformer.scoring.moses import MosesText
from stageformer.scoring.significance import Statistic, statistic_of

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
        bleu_tokenize: the tokenisation of sacreBLEU, such as ``13a`` or ``intl``. It affects only BLEU.
        moses_language: code of the target language, to report BLEU of text tokenised by Moses and lower-cased as well.
        characters: report the character error rate as well.
        phonemes: the texts are phonemes with spaces between them: report error rates of phonemes and words as well.

    Raises:
        StageformerError: the tokenisation needs a package that is not installed.
    """

    def __init__(
        self,
        references: Sequence[Sequence[str]],
        *,
        lowercase: bool,
        bleu_tokenize: str,
        moses_language: str | None = None,
        characters: bool = False,
        phonemes: bool = False,
    ) -> None:
        self.references = references
        self.lowercase = lowercase
        texts = columns(references)
        for package in TOKENIZER_PACKAGES.get(bleu_tokenize, ()):
            require(package)
        # Without force, sacreBLEU warns where text seems to be tokenised already, as for `none` it should be.
        force = bleu_tokenize == "none"
        self._bleu = BLEU(lowercase=lowercase, tokenize=bleu_tokenize, force=force, references=texts)
        # Metrics of their own: scoring a sentence changes the number of references in the signature.
        self._sentence_bleu = BLEU(lowercase=lowercase, tokenize=bleu_tokenize, effective_order=True)
        self._sentence_chrf = CHRF(lowercase=lowercase)
        self._chrf = CHRF(lowercase=lowercase, references=texts)
        self._ter = TER(case_sensitive=not lowercase, references=texts)
        self._moses_language = moses_language
        self._characters = CharacterErrors(references, lowercase=lowercase) if characters else None
        self._phonemes = PhonemeErrors(references, lowercase=lowercase) if phonemes else None

    @cached_property
    def _tokenized(self) -> TokenizedBleu | None:
        # Made when it is asked for: tokenising all references takes a while, and `brief` does without.
        if self._moses_language is None:
            return None
        return TokenizedBleu(self.references, language=self._moses_language, lowercase=True)

    @property
    def signatures(self) -> dict[str, str]:
        """How the scores are computed, in the notation of sacreBLEU: what makes them comparable."""
        metrics = {"bleu": self._bleu, "chrf": self._chrf, "ter": self._ter}
        found = {f"{name}_signature": str(metric.get_signature()) for name, metric in metrics.items()}
        if self._tokenized:
            found["bleu_tokenized_lowercased_signature"] = self._tokenized.signature
        if self._characters:
            found["cer_signature"] = self._characters.signature
        if self._phonemes:
            found["per_signature"] = found["wer_signature"] = self._phonemes.signature
        return found

    def corpus(self, translations: Sequence[str]) -> dict[str, Any]:
        """Score all translations together.

        Returns:
            ``bleu``, ``chrf``, ``ter`` (percent; a lower TER is better, it may exceed 100), ``exact_match`` (percent
            of the translations that equal a reference), ``length_ratio`` (tokens of BLEU to those of the closest
            references), ``repetition`` (percent, see there) and ``empty`` (number of translations without a visible
            character). With ``moses_language`` also ``bleu_tokenized_lowercased``; with ``characters`` also ``cer``,
            with ``phonemes`` also ``per`` and ``wer`` (percent; lower is better).
        """
        bleu = self._bleu.corpus_score(translations, None)
        found = {
            "bleu": bleu.score,
            "chrf": self._chrf.corpus_score(translations, None).score,
            "ter": self._ter.corpus_score(translations, None).score,
            "exact_match": self._exact_match(translations),
            "length_ratio": bleu.ratio,
            "repetition": repetition(translations, self.references),
        }
        if self._tokenized:
            found["bleu_tokenized_lowercased"] = self._tokenized.corpus(translations)
        if self._characters:
            found["cer"] = self._characters.cer(self._characters.counts(translations).sum(0))
        if self._phonemes:
            totals = self._phonemes.counts(translations).sum(0)
            found |= {"per": self._phonemes.per(totals), "wer": self._phonemes.wer(totals)}
        empty = sum(not translation.strip() for translation in translations)
        return {name: round(score, DIGITS) for name, score in found.items()} | {"empty": empty}

    def brief(self, translations: Sequence[str]) -> dict[str, float]:
        """Return only ``bleu``, ``chrf`` and ``exact_match`` of :meth:`corpus`, which takes less time."""
        return {
            "bleu": round(self._bleu.corpus_score(translations, None).score, DIGITS),
            "chrf": round(self._chrf.corpus_score(translations, None).score, DIGITS),
            "exact_match": round(self._exact_match(translations), DIGITS),
        }

    def note(self, translations: Sequence[str]) -> str:
        """Return why BLEU is 0 although words may be right; "" if it is not for want of tokens."""
        bleu = self._bleu.corpus_score(translations, None)
        if bleu.score or bleu.totals[-1]:
            return ""
        order = self._bleu.max_ngram_order
        return f"BLEU is 0: it needs runs of {order} tokens, and no translation has as many. chrF does without."

    def statistics(self) -> dict[str, Statistic]:
        """Return the scores that two systems are compared by, for resampling."""
        signatures = self.signatures
        found = {
            "bleu": statistic_of(self._bleu, signatures["bleu_signature"]),
            "chrf": statistic_of(self._chrf, signatures["chrf_signature"]),
        }
        if self._tokenized:
            signature = self._tokenized.signature
            found["bleu_tokenized_lowercased"] = statistic_of(self._tokenized.bleu, signature, self._tokenized.prepare)
        if self._characters:
            found["cer"] = Statistic(self._characters.counts, self._characters.cer, self._characters.signature)
        if self._phonemes:
            counts, signature = self._phonemes.counts, self._phonemes.signature
            found["per"] = Statistic(counts, self._phonemes.per, signature)
            found["wer"] = Statistic(counts, self._phonemes.wer, signature)
        return found

    def sentences(self, translations: Sequence[str]) -> list[SentenceScores]:
        """Score each translation separately."""
        return [
            SentenceScores(
                bleu=self._sentence_bleu.sentence_score(translation, list(texts)).score,
                chrf=self._sentence_chrf.sentence_score(translation, list(texts)).score,
                exact_match=self._is_exact(translation, texts),
            )
            for translation, texts in zip(translations, self.references, strict=True)
        ]

    def _exact_match(self, translations: Sequence[str]) -> float:
        return 100 * sum(map(self._is_exact, translations, self.references)) / len(translations)

    def _is_exact(self, translation: str, references: Sequence[str]) -> bool:
        if self.lowercase:
            return translation.lower() in {text.lower() for text in references}
        return translation in references


class TokenizedBleu:
    """BLEU of translations and references that Moses has tokenised: never to be mixed up with BLEU on plain text.

    Lower-cased as well, it is the BLEU of Multi30k's papers.

    Args:
        references: one or more plain texts a sentence.
        language: two-letter code of their language.
        lowercase: lower-case all text first.

    Raises:
        StageformerError: Moses knows no such language.
    """

    def __init__(self, references: Sequence[Sequence[str]], *, language: str, lowercase: bool) -> None:
        self.prepare = MosesText(language, lowercase=lowercase)
        self._language = language
        tokenized = [[self.prepare(text) for text in texts] for texts in references]
        # lowercase: so that the signature says so; lower-casing again changes nothing.
        self.bleu = BLEU(tokenize="none", lowercase=lowercase, force=True, references=columns(tokenized))

    def corpus(self, translations: Sequence[str]) -> float:
        """Score all translations, as plain text, together: 0 to 100."""
        return float(self.bleu.corpus_score([self.prepare(text) for text in translations], None).score)

    @property
    def signature(self) -> str:
        """That of sacreBLEU, but with the tokenisation that was applied before, and its version."""
        tokenised = str(self.bleu.get_signature()).replace("tok:none", f"tok:moses-{self._language}")
        return f"{tokenised}|sacremoses:{version('sacremoses')}"


def repeats(text: str) -> bool:
    """Return whether an n-gram of words, of any length, directly follows itself: ``a b a b``, ``the the``.

    Words are what white space separates; where a language writes none, little is found.
    """
    words = text.split()
    for n in range(1, len(words) // 2 + 1):
        equal = 0
        # A repeated n-gram is a run of n places at which the word n places later is the same.
        for word, later in zip(words, words[n:], strict=False):
            equal = equal + 1 if word == later else 0
            if equal == n:
                return True
    return False


def repetition(translations: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the percentage of translations with an n-gram that directly follows itself, though no reference has one.

    Such loops are the over-translation of Tu et al. (2016, "Modeling Coverage for Neural Machine Translation") and the
    oscillatory hallucinations of Raunak et al. (2021, "The Curious Case of Hallucinations in Neural Machine
    Translation"); those count n-grams anywhere in the sentence, which a long sentence repeats without fault.
    """
    found = sum(
        repeats(translation) and not any(map(repeats, texts))
        for translation, texts in zip(translations, references, strict=True)
    )
    return 100 * found / len(translations)


def columns(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turn the references of each sentence into the sequences that sacreBLEU wants; None where a sentence has fewer."""
    most = max(map(len, references))
    return [[texts[n] if n < len(texts) else None for texts in references] for n in range(most)]
