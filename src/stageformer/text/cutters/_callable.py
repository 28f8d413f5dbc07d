"""``module:callable``: a function of one's own, or of a library that has no cutter here."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError
from stageformer.params.choices import function_at
from stageformer.text.alignment import Span, find_words
from stageformer.text.cutters.base import Cutter, CutterOptions


class CallableCutter(Cutter):
    """Calls a function of a text that returns its words, or pairs of where each begins and ends.

    What is no part of a word stays in the text as tokens of its own. Where the function drops or changes text on
    purpose, it says so in an attribute ``lost`` (``cut.lost = "digits"``).

    Args:
        name: ``module:callable``.
        options: the language is given to the function as ``language``, if it has a parameter of that name.
    """

    def __init__(self, name: str, options: CutterOptions) -> None:
        super().__init__(options)
        self._name = name
        self._function = function_at(name)
        self.lost = str(getattr(self._function, "lost", ""))  # type: ignore[misc]  # that of the class is a default
        has_language = options.language is not None and "language" in _parameters(self._function)
        self._arguments = {"language": options.language} if has_language else {}

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        found = self._call(text)
        return [item if isinstance(item, str) else text[item[0] : item[1]] for item in found]

    def spans(self, text: str) -> list[Span]:
        """Return where the words are. Raises StageformerError if one of them is not in the text."""
        found = self._call(text)
        if not all(isinstance(item, str) for item in found):
            return [(int(start), int(end)) for start, end in found]
        spans = find_words(text, found)
        if len(spans) < sum(map(bool, found)):
            kept = [text[start:end] for start, end in spans]
            changed = next((word for word, same in zip(found, [*kept, None], strict=False) if word != same), found[-1])
            raise StageformerError(
                f"the cutter {self._name} found the word {changed!r}, which is not in the text {text[:60]!r} there; "
                "give the function an attribute `lost` that says what it changes or drops"
            )
        return spans

    def own_versions(self) -> dict[str, str]:
        """Return the version of the package of the function, or a hash of its file."""
        module = inspect.getmodule(self._function)
        top = (module.__name__ if module else self._name).partition(".")[0]
        for name in metadata.packages_distributions().get(top, ()):
            return {name: metadata.version(name)}
        file = getattr(module, "__file__", None)
        return {self._name: hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]} if file else {}

    def _call(self, text: str) -> Sequence[Any]:
        try:
            found = [*self._function(text, **self._arguments)]
        except (Exception, SystemExit) as error:  # whatever a function of others raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise StageformerError(f"the cutter {self._name} failed on the text {text[:60]!r}: {reason}") from None
        if not all(isinstance(item, str) or _is_span(item, len(text)) for item in found):
            raise StageformerError(
                f"the cutter {self._name} returned {found[:3]!r} for the text {text[:60]!r}; needed words, or pairs of "
                "where each begins and ends"
            )
        return found


def _is_span(item: Any, length: int) -> bool:
    return (
        isinstance(item, Sequence)
        and len(item) == 2
        and all(isinstance(number, int) for number in item)
        and 0 <= item[0] <= item[1] <= length
    )


def _parameters(function: Any) -> Sequence[str]:
    try:
        return [*inspect.signature(function).parameters]
    except (TypeError, ValueError):  # some functions in C have none
        return []
