"""Reading the small files of an experiment: each gives its content, or None where the experiment has no such file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment
from stageformer.params.reading import parse_yaml


def read_object(experiment: Experiment, path: str) -> dict[str, Any] | None:
    """Return a JSON object.

    Raises:
        StageformerError: the file holds no JSON object.
    """
    data = experiment.read_bytes(path)
    if data is None:
        return None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(experiment, path, f"not readable as JSON ({error})") from None
    if not isinstance(content, dict):
        raise _damaged(experiment, path, f"expected a JSON object, found {type(content).__name__}")
    return content


def read_yaml(experiment: Experiment, path: str) -> dict[str, Any] | None:
    """Return a YAML file of groups. Raises StageformerError as :func:`stageformer.params.reading.parse_yaml` does."""
    data = experiment.read_bytes(path)
    if data is None:
        return None
    return parse_yaml(data, f"{experiment.name}: {path}")


def read_columns(experiment: Experiment, path: str) -> dict[str, list[str]] | None:
    """Return the columns of a CSV file, or of a TSV file if its name says so, by the names in its first line.

    Raises:
        StageformerError: the file is not UTF-8 text, or its rows differ in length.
    """
    data = experiment.read_bytes(path)
    if data is None:
        return None
    try:
        rows = list(csv.reader(io.StringIO(data.decode()), delimiter="\t" if path.endswith(".tsv") else ","))
        header, *body = rows or [[]]
        columns = zip(*body, strict=True) if body else ((),) * len(header)
        return {name: list(column) for name, column in zip(header, columns, strict=True)}
    except (ValueError, csv.Error) as error:
        raise _damaged(experiment, path, f"not a table ({error})") from None


def numbers(experiment: Experiment, path: str, column: str, texts: list[str]) -> list[float]:
    """Return the cells ``texts`` of a column as numbers. Raises StageformerError if one of them is not a number."""
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise _damaged(experiment, path, f"column {column}: {error}") from None


def typed(experiment: Experiment, path: str, content: Mapping[str, Any], **kinds: type | tuple[type, ...]) -> None:
    """Check the types of some values of an object that was read; a value that is not there, or null, is of any type.

    Args:
        experiment: where it was read.
        path: of its file.
        content: the object.
        kinds: of the values, by name; a number is an ``int`` or a ``float``, and finite.

    Raises:
        StageformerError: a value is of another type; it names the first.
    """
    for name, kind in kinds.items():
        value = content.get(name)
        wrong = isinstance(value, bool)
        if isinstance(value, int | float):
            wrong = wrong or not abs(value) <= sys.float_info.max
        if value is not None and (wrong or not isinstance(value, kind)):
            raise _damaged(experiment, path, f"{name} is {value!r:.60}, which no stage writes")


def _damaged(experiment: Experiment, path: str, reason: str) -> StageformerError:
    return StageformerError(f"{experiment.name}: {path}: {reason}; run the stage that makes it again")
