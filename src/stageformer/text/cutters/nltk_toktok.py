"""``nltk_toktok``: Toktok (Dehdari 2014), as NLTK has it: fast, for many languages."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("nltk",)


class ToktokCutter(Cutter):
    """Cuts at punctuation; the last full stop of a text is a word."""

    distributions = ("nltk",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        from nltk.tokenize import ToktokTokenizer

        self._library = ToktokTokenizer()

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._library.tokenize(text))
