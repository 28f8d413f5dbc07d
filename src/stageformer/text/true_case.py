"""True case: the first word of a text as it is written inside of sentences (Lita et al. 2003; the truecaser of Moses).

*The light is on* begins with a capital because it is a sentence, *Berlin is big* because Berlin is a name. Which of the
two a word is, is learnt from where it stands inside of sentences. A decoded text gets the capital back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Self

from stageformer.artifacts.files import write_json
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError

FILE_NAME = "true_case.json"
_REMEDY = "make it again with `dvc repro --force tokenize`"
_FIRST_WORD = re.compile(r"[^\w{<@#/\\]*(?P<word>[^\W\d_]+)")
"""The letters that a stretch of text begins with, apart from marks; a {placeholder}, a <tag> or a number is no word."""
_ENDS = (".", "!", "?", "…")


class TrueCase:
    """Recases the first word of a text.

    Args:
        names: by the lower-cased word, its usual form, for the words whose usual form has capitals.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Self:
        """Count how each word is written inside of sentences; of forms that are equally frequent, the first by code."""
        counts: dict[str, Counter[str]] = {}
        for text in texts:
            stretches = text.split()
            for before, stretch in pairwise(stretches):
                match = _FIRST_WORD.match(stretch)
                if match and not before.endswith(_ENDS):
                    counts.setdefault(match["word"].lower(), Counter())[match["word"]] += 1
        best = {lower: min(forms, key=lambda form: (-forms[form], form)) for lower, forms in counts.items()}
        return cls({lower: form for lower, form in sorted(best.items()) if form != lower})

    def apply(self, text: str) -> str:
        """Return the text with a capitalised first word in its usual form; one that was never seen, in lower case."""
        match = _FIRST_WORD.match(text)
        if match is None or not _is_capitalised(match["word"]):
            return text
        lower = match["word"].lower()
        return _with_first_word(text, match, self._names.get(lower, lower))

    def restore(self, text: str) -> str:
        """Return the text with a capital at its head, unless its first word is written without one everywhere.

        ``apply(restore(text)) == text`` for every text that :meth:`apply` gives.
        """
        match = _FIRST_WORD.match(text)
        if match is None or not match["word"].islower():
            return text
        restored = _with_first_word(text, match, match["word"][0].upper() + match["word"][1:])
        return restored if self.apply(restored) == text else text

    def save(self, folder: Path) -> None:
        """Write the names into ``folder``."""
        write_json(folder / FILE_NAME, self._names)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""
        names = read_json(folder / FILE_NAME)
        if not isinstance(names, dict) or not all(
            isinstance(form, str) and form.lower() == lower for lower, form in names.items()
        ):
            raise StageformerError(f"{folder / FILE_NAME}: needs words and, for each, its usual form; {_REMEDY}")
        return cls(names)


def _is_capitalised(word: str) -> bool:
    """Return whether one capital and small letters alone make the word, which then says nothing else by its case."""
    rest = word[1:]
    return word[0].isupper() and rest == rest.lower() and len(word[0].lower()) == 1


def _with_first_word(text: str, match: re.Match[str], word: str) -> str:
    return text[: match.start("word")] + word + text[match.end("word") :]
