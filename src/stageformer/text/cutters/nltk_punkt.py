"""``nltk_punkt``: ``nltk.word_tokenize`` as it is called by default: sentences first, then words.

A full stop is a word at the end of each sentence, not of the text alone. Needs the data punkt_tab.
"""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions, digest
from stageformer.text.nltk_data import LANGUAGES, folder_of_nltk, punkt_folder

NEEDS = ("nltk",)


class NltkPunktCutter(Cutter):
    """Finds sentences by Punkt (Kiss and Strunk 2006), and words by the conventions of the Penn Treebank."""

    distributions = ("nltk",)
    takes = frozenset({"language", "path"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        from nltk.tokenize import NLTKWordTokenizer, PunktTokenizer

        with folder_of_nltk(options.path):
            self._sentences = PunktTokenizer(LANGUAGES[str(options.language)])
        self._library = NLTKWordTokenizer()

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if there is no data for the language."""
        punkt_folder(options, "nltk_punkt")

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return [word for sentence in self._sentences.tokenize(text) for word in self._library.tokenize(sentence)]

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return the version of NLTK and a hash of the data."""
        return super().versions(options) | {"punkt_tab": digest(punkt_folder(options, "nltk_punkt").iterdir())}
