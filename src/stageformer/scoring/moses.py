"""BLEU on text that Moses has tokenised, as older papers report it: not to be mixed up with BLEU on plain text."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from sacrebleu.metrics.bleu import BLEU

from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.evaluate import MOSES_LANGUAGES
from stageformer.scoring.references import columns


class MosesText:
    """Normalises punctuation and tokenises as the preprocessing of Multi30k does (Elliott et al. 2016).

    Lower-casing comes first, then Moses' ``normalize-punctuation`` and ``tokenizer`` with their defaults: hyphens are
    not split, and ``& | < > ' " [ ]`` become entities. It turns the raw test set 2016 into the published
    ``lc.norm.tok`` files line by line, in English and in German.

    Args:
        language: two-letter code: whose abbreviations keep their dot.
        lowercase: lower-case the text first.

    Raises:
        StageformerError: Moses knows no such language.
    """

    def __init__(self, language: str, *, lowercase: bool) -> None:
        # Reading Moses' tables of characters takes a third of a second, which only those wait for who want this score.
        from sacremoses import MosesPunctNormalizer, MosesTokenizer

        if language not in MOSES_LANGUAGES:
            raise StageformerError(
                f"Moses has no rules for the language {language!r}{did_you_mean(language, MOSES_LANGUAGES)}; it knows "
                + " ".join(MOSES_LANGUAGES)
            )
        self._lowercase = lowercase
        self._normalizer = MosesPunctNormalizer(language)
        self._tokenizer = MosesTokenizer(language)

    def __call__(self, text: str) -> str:
        """Return the tokens of a text with spaces between them."""
        text = self._normalizer.normalize(text.lower() if self._lowercase else text)
        return str(self._tokenizer.tokenize(text, return_str=True))


class TokenizedBleu:
    """BLEU of translations and references that Moses has tokenised, the BLEU of Multi30k's papers if lower-cased, too.

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
