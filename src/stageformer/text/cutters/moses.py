"""``moses``: the tokenizer of the Moses translation system, as sacremoses has it."""

from __future__ import annotations

from typing import get_args

from stageformer.params.evaluate import MosesLanguage
from stageformer.text.cutters.base import Cutter, CutterOptions, check_language

NEEDS = ("sacremoses",)


class MosesCutter(Cutter):
    """Cuts at punctuation, but not after the abbreviations of a language."""

    distributions = ("sacremoses",)
    takes = frozenset({"language"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        from sacremoses import MosesTokenizer

        self._library = MosesTokenizer(options.language)

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if Moses has no such language."""
        check_language(options.language, get_args(MosesLanguage), "moses")

    def words(self, text: str) -> list[str]:
        """Return the words of a text; none is escaped for HTML."""
        return list(self._library.tokenize(text, escape=False))
