"""``spacy``: the rules of spaCy for a language (its blank pipelines), without a model.

Japanese, Thai, Korean and Vietnamese need packages of their own; those of the first two are in extras.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from stageformer.errors import StageformerError, require
from stageformer.text.alignment import Span
from stageformer.text.cutters.base import Cutter, CutterOptions, check_language, versions_of

NEEDS = ("spacy",)

MAY_NEED = ("pythainlp", "sudachidict_core", "sudachipy")

PACKAGES = {"ja": ("sudachipy", "sudachidict_core"), "th": ("pythainlp",)}
"""What a language needs beyond spaCy, by the names that the packages are imported by."""

_FOREIGN = {"ko": ("natto", "natto-py` and MeCab-ko"), "vi": ("pyvi", "pyvi`")}
"""The same, and how to install it, where no extra of ours does."""


class SpacyCutter(Cutter):
    """Cuts by the rules and the exceptions of a language."""

    takes = frozenset({"language"})

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        self.check(options)
        import spacy

        self._cut = spacy.blank(str(options.language)).make_doc

    @classmethod
    def check(cls, options: CutterOptions) -> None:
        """Raise StageformerError if spaCy has no such language, or a package for it is missing."""
        require("spacy")
        language = check_language(options.language, _languages(), "spacy")
        for package in PACKAGES.get(language, ()):
            require(package)
        package, remedy = _FOREIGN.get(language, ("", ""))
        if package and find_spec(package) is None:
            raise StageformerError(f"spaCy needs the package {package} for {language!r}; run `pip install {remedy}")

    @classmethod
    def versions(cls, options: CutterOptions) -> dict[str, str]:
        """Return the versions of spaCy and of the packages of the language."""
        return versions_of(("spacy", *PACKAGES.get(str(options.language), ())))

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return [text[start:end] for start, end in self.spans(text)]

    def spans(self, text: str) -> list[Span]:
        """Return where the words are; spaCy makes words of superfluous spaces, which are none here."""
        return [(word.idx, word.idx + len(word.text)) for word in self._cut(text) if not word.is_space]


def _languages() -> list[str]:
    """Return the codes of the languages that the installed spaCy has a folder for, without importing spaCy."""
    spec = find_spec("spacy")
    folders = spec.submodule_search_locations if spec else None
    return [path.parent.name for folder in folders or () for path in Path(folder, "lang").glob("*/__init__.py")]
