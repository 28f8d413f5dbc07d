"""``nltk_treebank``: the conventions of the Penn Treebank, as NLTK has them."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("nltk",)


class TreebankCutter(Cutter):
    """Cuts as the Penn Treebank does: ``do n't``."""

    distributions = ("nltk",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        from nltk.tokenize import TreebankWordTokenizer

        self._library = TreebankWordTokenizer()

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._library.tokenize(text))
