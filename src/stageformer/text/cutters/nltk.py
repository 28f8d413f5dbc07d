"""``nltk``: ``nltk.word_tokenize`` on a text as one sentence, which needs no data."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("nltk",)


class NltkCutter(Cutter):
    """The conventions of the Penn Treebank, improved by NLTK."""

    distributions = ("nltk",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        from nltk.tokenize import NLTKWordTokenizer

        self._library = NLTKWordTokenizer()

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._library.tokenize(text))
