"""``nltk_wordpunct``: NLTK's cut into runs of letters and digits and runs of anything else but spaces."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("nltk",)


class WordPunctCutter(Cutter):
    """Cuts at every change between a letter or digit and another character."""

    distributions = ("nltk",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        from nltk.tokenize import WordPunctTokenizer

        self._library = WordPunctTokenizer()

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._library.tokenize(text))
