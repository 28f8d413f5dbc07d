"""The translations of a run as git keeps them: ``reports/evaluate/translations.json``, one sentence a line.

``data/evaluate/translations.parquet`` is in DVC's cache, which a new clone does not have. This file is in git, so that
whoever has the repository can compare with a committed run. DVC shows nothing of a list, so it is declared as a metric.
The names of the columns are there once, and not in each of thousands of lines.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.errors import StageformerError
from stageformer.scoring.metrics import DIGITS

PATH = "reports/evaluate/translations.json"


@dataclass(frozen=True)
class Translated:
    """A sentence and its translation by beam search."""

    id: int
    source: str
    references: list[str]
    translation: str
    score: float
    """log-probability, after the length penalty"""
    bleu: float
    chrf: float
    exact_match: bool
    rarest_word: str
    """bucket of how often the rarest word of the source occurs in the training text"""


def translations_json(sentences: Sequence[Translated]) -> bytes:
    """Return the content of the file."""
    names = [field.name for field in dataclasses.fields(Translated)]
    lines = []
    for sentence in sentences:
        values = [getattr(sentence, name) for name in names]
        values = [round(value, DIGITS) if isinstance(value, float) else value for value in values]
        lines.append(json.dumps(values, ensure_ascii=False, allow_nan=False))
    return (f'{{"columns": {json.dumps(names)},\n"sentences": [\n' + ",\n".join(lines) + "\n]}\n").encode()


def parse_translations(content: Any, place: str) -> list[Translated]:
    """Return the sentences in the file.

    Args:
        content: what JSON makes of it.
        place: names the file in messages.

    Raises:
        StageformerError: these are not such translations.
    """
    types = typing.get_type_hints(Translated)
    try:
        sentences = [Translated(**row) for row in _rows(content)]
        for sentence in sentences:
            for name, kind in types.items():
                _check(getattr(sentence, name), kind)
    except (KeyError, TypeError, ValueError):
        raise StageformerError(
            f"{place}: not the translations of the stage evaluate; run `dvc repro --force evaluate`"
        ) from None
    return sentences


def _rows(content: Any) -> Iterable[Mapping[str, Any]]:
    """Return each sentence with the names of its values, as runs of before have them in the file."""
    columns = content.get("columns") if isinstance(content, dict) else None
    for row in content["sentences"]:
        yield row if columns is None else dict(zip(columns, row, strict=True))


def _check(value: object, kind: Any) -> None:
    """Raise TypeError unless a value of JSON is of the type of its field."""
    if typing.get_origin(kind) is list:
        if not isinstance(value, list):
            raise TypeError
        for item in value:
            _check(item, *typing.get_args(kind))
    elif not isinstance(value, int | float if kind is float else kind) or isinstance(value, bool) != (kind is bool):
        raise TypeError
