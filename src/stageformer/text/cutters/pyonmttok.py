"""``pyonmttok``: the tokenizer of OpenNMT in its mode ``conservative``, for any language."""

from __future__ import annotations

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("pyonmttok",)


class OpenNmtCutter(Cutter):
    """Cuts at punctuation, but not inside of numbers and web addresses."""

    distributions = ("pyonmttok",)

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        import pyonmttok

        self._library = pyonmttok.Tokenizer("conservative")

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        words, _ = self._library.tokenize(text)
        return list(words)
