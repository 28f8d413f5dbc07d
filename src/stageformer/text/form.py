"""The form that a tokenizer gives a text before it cuts it: Unicode normalisation and case."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from tokenizers import normalizers

_FINAL_SIGMA = r"\p{Cased}\p{Case_Ignorable}*\KΣ(?!\p{Case_Ignorable}*\p{Cased})"


class Form(NamedTuple):
    """What is done to every text of one side. Doing it twice changes nothing more."""

    case: str = "keep"
    """``keep``, or ``lower``."""
    normalisation: str = "none"
    """``none``, ``nfc`` or ``nfkc``."""

    @classmethod
    def of(cls, options: Any) -> Self:
        """Return that which the parameters of a family ask for."""
        return cls(options.case, options.normalisation)

    def apply(self, text: str) -> str:
        """Return the text in this form. Lower-cased text is composed again (NFC)."""
        if self.normalisation != "none":
            text = _normalised(text, self.normalisation)
        if self.case == "lower":
            text = _normalised(text.lower(), self.normalisation if self.normalisation != "none" else "nfc")
        return text

    def components(self) -> list[normalizers.Normalizer]:
        """Return the same in the components of the Hugging Face library."""
        from tokenizers import Regex, normalizers

        named: dict[str, list[normalizers.Normalizer]]
        named = {"none": [], "nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()]}
        normalise = named[self.normalisation]
        if self.case == "keep":
            return normalise
        # The library lowers each letter alone; at the end of a word, Greek has a sigma of its own.
        lower = [normalizers.Replace(Regex(_FINAL_SIGMA), "ς"), normalizers.Lowercase()]
        return [*normalise, *lower, *(normalise or [normalizers.NFC()])]


def _normalised(text: str, name: str) -> str:
    return unicodedata.normalize("NFKC" if name == "nfkc" else "NFC", text)
