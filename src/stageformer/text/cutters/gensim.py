"""``gensim``: ``gensim.utils.tokenize``, runs of letters; lossy."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter

NEEDS = ("gensim",)


class GensimCutter(Cutter):
    """Finds the runs of letters."""

    distributions = ("gensim",)
    lost = "digits and punctuation marks"

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        from gensim.utils import tokenize

        return list(tokenize(text))
