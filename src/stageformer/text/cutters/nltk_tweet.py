"""``nltk_tweet``: NLTK's cutter for short messages, which keeps emoticons, hashtags and phone numbers whole."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("nltk",)


class TweetCutter(Cutter):
    """Cuts short messages. An HTML entity such as ``&amp;`` stays as it is in the text."""

    distributions = ("nltk",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        from nltk.tokenize import TweetTokenizer

        self._library = TweetTokenizer()

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._library.tokenize(text))
