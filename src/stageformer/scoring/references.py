"""Several references a sentence, as sacreBLEU wants them."""

from __future__ import annotations

from collections.abc import Sequence


def columns(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turn the references of each sentence into the sequences that sacreBLEU wants; None where a sentence has fewer."""
    most = max(map(len, references))
    return [[texts[n] if n < len(texts) else None for texts in references] for n in range(most)]
