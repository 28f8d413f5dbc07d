"""``textblob``: the tokens of TextBlob, which are those of NLTK with its English punkt_tab."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stageformer.text.cutters.base import Cutter, CutterOptions, digest
from stageformer.text.nltk_data import folder_of_nltk, punkt_folder

NEEDS = ("textblob", "nltk")


class TextBlobCutter(Cutter):
    """Finds sentences and words for English, whatever the language."""

    distributions = ("textblob", "nltk")
    takes = frozenset({"path"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        from nltk import tokenize
        from textblob import TextBlob

        self._blob = TextBlob
        with folder_of_nltk(options.path):
            # NLTK keeps what it has read once, which may be from another folder.
            tokenize._get_punkt_tokenizer.cache_clear()
            self.words("")

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if there is no data."""
        _english(options)

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(map(str, self._blob(text).tokens))

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return the versions of TextBlob and NLTK, and a hash of the data."""
        return super().versions(options) | {"punkt_tab": digest(_english(options).iterdir())}


def _english(options: CutterOptions) -> Path:
    return punkt_folder(replace(options, language="en"), "textblob")
