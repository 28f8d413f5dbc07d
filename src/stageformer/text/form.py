"""The form that a tokenizer gives a text before it cuts it: Unicode normalisation and case."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from stageformer.errors import StageformerError
from stageformer.text import true_case
from stageformer.text.true_case import TrueCase

if TYPE_CHECKING:
    from tokenizers import normalizers

_FINAL_SIGMA = r"\p{Cased}\p{Case_Ignorable}*\KΣ(?!\p{Case_Ignorable}*\p{Cased})"


class Form(NamedTuple):
    """What is done to every text of one side. Doing it twice changes nothing more."""

    case: str = "keep"
    """``keep``, ``lower`` or ``true``."""
    normalisation: str = "none"
    """``none``, ``nfc`` or ``nfkc``."""
    true_case: TrueCase | None = None
    """what was learnt for ``true``"""

    @classmethod
    def of(cls, options: Any, sentences: Iterable[str] = ()) -> Self:
        """Return that which the parameters of a family ask for; true case is learnt from ``sentences``."""
        form = cls(options.case, options.normalisation)
        if form.case != "true":
            return form
        plain = form._replace(case="keep")
        return form._replace(true_case=TrueCase.learn(map(plain.apply, sentences)))

    @property
    def names(self) -> dict[str, str]:
        """What the parameters ask for, by the name of the parameter."""
        return {"case": self.case, "normalisation": self.normalisation}

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that :meth:`save` writes."""
        return (true_case.FILE_NAME,) if self.true_case else ()

    def save(self, folder: Path) -> None:
        """Write what was learnt into ``folder``, if anything was."""
        if self.true_case:
            self.true_case.save(folder)

    @classmethod
    def load(cls, folder: Path, case: str, normalisation: str) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""
        return cls(case, normalisation, TrueCase.load(folder) if case == "true" else None)

    def restore(self, text: str) -> str:
        """Return a decoded text as people write it: with true case, a capital at its head."""
        return self.true_case.restore(text) if self.true_case else text

    def apply(self, text: str) -> str:
        """Return the text in this form. Lower-cased text is composed again (NFC)."""
        if self.normalisation != "none":
            text = _normalised(text, self.normalisation)
        if self.case == "lower":
            text = _normalised(text.lower(), self.normalisation if self.normalisation != "none" else "nfc")
        return self.true_case.apply(text) if self.true_case else text

    def components(self) -> list[normalizers.Normalizer]:
        """Return the same in the components of the Hugging Face library.

        Raises:
            StageformerError: true case, for which it has none.
        """
        from tokenizers import Regex, normalizers

        named: dict[str, list[normalizers.Normalizer]]
        named = {"none": [], "nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()]}
        normalise = named[self.normalisation]
        if self.case == "true":
            raise StageformerError("tokenize case 'true' cannot be expressed in the Hugging Face library")
        if self.case == "keep":
            return normalise
        # The library lowers each letter alone; at the end of a word, Greek has a sigma of its own.
        lower = [normalizers.Replace(Regex(_FINAL_SIGMA), "ς"), normalizers.Lowercase()]
        return [*normalise, *lower, *(normalise or [normalizers.NFC()])]


def _normalised(text: str, name: str) -> str:
    return unicodedata.normalize("NFKC" if name == "nfkc" else "NFC", text)
