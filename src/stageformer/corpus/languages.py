"""Which language a text is in, as the library py3langid tells it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from stageformer.errors import StageformerError, did_you_mean, require


@cache
def probability_of(language: str) -> Callable[[str], float]:
    """Return a function that gives the probability of a text being in this language, among all that are known.

    Args:
        language: its code; of ``pt-BR`` what is before the hyphen counts.

    Raises:
        StageformerError: the package is not installed, or does not know the language.
    """
    identifier = _identifier()
    code = language.replace("_", "-").partition("-")[0].lower()
    known = sorted(identifier.labels)
    if code not in known:
        raise StageformerError(
            f"py3langid does not know the language {code!r}{did_you_mean(code, known)}, which "
            f"ingest.language_identifier is to find; it knows {', '.join(known)}"
        )
    return lambda text: float(dict(identifier.rank(text))[code])


@cache
def _identifier() -> Any:
    require("py3langid")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
