"""Text as Moses tokenises it, for the BLEU of older papers."""

from __future__ import annotations

from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.evaluate import MOSES_LANGUAGES


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
