"""``gensim_simple``: ``gensim.utils.simple_preprocess``, lower-cased runs of 2 to 15 letters; lossy."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter

NEEDS = ("gensim",)


class GensimSimpleCutter(Cutter):
    """Finds the runs of 2 to 15 letters and lower-cases them."""

    distributions = ("gensim",)
    lost = "case, digits, punctuation marks, and words of one letter or more than 15"

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        from gensim.utils import simple_preprocess

        return list(simple_preprocess(text))
