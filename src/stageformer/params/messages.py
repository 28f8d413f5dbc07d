"""What is wrong with parameters, in one line: Pydantic finds it, the wording is ours.

Pydantic's own messages take several lines, and know neither the nearest valid name nor what a parameter means.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.base import WRONG_TYPE, Params, choices, group_of, kinds, limits, value_type
from stageformer.params.differences import show
from stageformer.params.reading import line_of, read_file

_TYPES = {"string_type": "a text", "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false"}
_PLURALS = {int: "whole numbers", float: "numbers", bool: "true and false"}


class ParameterError(StageformerError):
    """A mistake in the parameters, which knows where it is."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(f"params: {message}")
        self.message = message
        self.path = path
        """Dotted; ``""`` where no one parameter is meant."""


@contextlib.contextmanager
def naming_file(file: Path) -> Iterator[None]:
    """Name the file, and the line, in a mistake in the parameters that were read from it.

    Raises:
        StageformerError: the mistake that was raised within the block.
    """
    try:
        yield
    except ParameterError as error:
        line = line_of(read_file(file), re.findall(r"[^.\[\]]+", error.path))
        raise StageformerError(f"{file}{f', line {line}' if line else ''}: {error.message}") from None


def first_mistake(cls: type[Params], error: ValidationError, path: str) -> ParameterError:
    """Return what is wrong: of each group, first an unknown key, then a missing one, then the values in their order.

    Args:
        cls: the class that the parameters do not fit.
        error: what pydantic says.
        path: dotted, of the parameters; ``""`` for the whole file.
    """
    first = _first(error.errors(include_url=False))
    location = first["loc"][:-1] if first["type"] == "invalid_key" else first["loc"]
    place = _locate(cls, location, path)
    message = _message(place, first, is_top=not path and len(location) == 1)
    name = f".{place.field.discriminator}" if first["type"].startswith("union_tag") and place.field else ""
    return ParameterError(message, place.path + name)


def _first(errors: Sequence[ErrorDetails], depth: int = 0) -> ErrorDetails:
    for kind in ("invalid_key", "extra_forbidden", "missing"):
        for error in errors:
            if error["type"] == kind and len(error["loc"]) == depth + 1:
                return error
    first = errors[0]
    if len(first["loc"]) <= depth + 1:
        return first
    return _first([error for error in errors if error["loc"][: depth + 1] == first["loc"][: depth + 1]], depth + 1)


@dataclass(frozen=True)
class _Place:
    """Where in the parameters an error is."""

    path: str
    owner: type[Params]
    """The group that holds the parameter, or in which it is unknown."""
    field: FieldInfo | None
    union: FieldInfo | None
    """The field that the owner is one kind of."""
    kind: str
    """Which one."""


def _locate(cls: type[Params], location: tuple[int | str, ...], path: str) -> _Place:
    place = _Place(path, cls, None, None, "")
    for step in location:
        by_kind = kinds(place.field) if place.field else {}
        if by_kind:  # Pydantic names the kind, too; it is not part of the path.
            place = _Place(place.path, by_kind[str(step)], None, place.field, str(step))
        elif isinstance(step, int):
            place = _Place(f"{place.path}[{step}]", place.owner, place.field, place.union, place.kind)
        else:
            inner = group_of(place.field) if place.field else None
            owner, union, kind = (inner, None, "") if inner else (place.owner, place.union, place.kind)
            joined = f"{place.path}.{step}" if place.path else step
            place = _Place(joined, owner, owner.model_fields.get(step), union, kind)
    return place


def _message(place: _Place, error: ErrorDetails, *, is_top: bool) -> str:
    kind, value = error["type"], error["input"]
    field = place.field
    if kind == "value_error":
        reason = str(error["ctx"]["error"])
        return f"{place.path}: {reason}" if place.path else reason
    if kind == "invalid_key":
        return f"unknown key {place.path}.{_shown(value)}"
    if kind == "extra_forbidden":
        return _unknown(place, str(error["loc"][-1]))
    if kind == "missing":
        return f"the group {place.path} is missing" if is_top else f"{place.path} is missing ({_doc(field)})"
    if kind in ("model_type", "model_attributes_type"):
        what = f"{place.path} must be a group of parameters" if place.path else "expected groups of parameters"
        return f"{what}, found {_shown(value)}"
    if field is None:
        return f"{place.path}: {error['msg']}"
    if kind == "union_tag_not_found":
        by_kind = kinds(field)
        doc = next(iter(by_kind.values())).model_fields[str(field.discriminator)].description
        return f"{place.path}.{field.discriminator} is missing ({doc})"
    if kind == "union_tag_invalid":
        return _no_choice(f"{place.path}.{field.discriminator}", value[field.discriminator], tuple(kinds(field)))
    if kind == "literal_error":
        return _no_choice(place.path, value, choices(field))
    if kind == WRONG_TYPE:
        return f"{place.path} must be {error['msg']}, found {_shown(value)}"
    if kind == "finite_number":
        return f"{place.path} must be a finite number, found {_shown(value)}"
    if kind == "list_type":
        return f"{place.path} must be a list of {_PLURALS.get(value_type(field), 'texts')}, found {_shown(value)}"
    low, high = limits(field)
    # An integer beyond the range of a float is not a number to Pydantic.
    is_huge = kind == "float_type" and isinstance(value, int) and not isinstance(value, bool)
    if kind in ("greater_than_equal", "less_than_equal") or is_huge:
        is_low = value < 0 if is_huge else kind == "greater_than_equal"
        limit = f"the minimum is {low}" if is_low else f"the maximum is {high}"
        _, has_null, meaning = _doc(field).partition("; null: ")
        return f"{place.path} is {_shown(value)}; {limit}{', or null: ' + meaning if has_null else ''}"
    if kind in _TYPES:
        return f"{place.path} must be {_TYPES[kind]}, found {_shown(value)}"
    return f"{place.path} is {_shown(value)}: {error['msg']}"


def _unknown(place: _Place, key: str) -> str:
    if place.union:
        others = [kind for kind, cls in kinds(place.union).items() if kind != place.kind and key in cls.model_fields]
        if others:
            name = place.union.discriminator
            return f"{place.path} belongs to {name} {' or '.join(map(repr, others))}, but {name} is {place.kind!r}"
    what = "key" if "." in place.path else "group"
    return f"unknown {what} {place.path}{did_you_mean(key, place.owner.model_fields)}"


def _no_choice(path: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        return f"{path} must be a text, found {_shown(value)}"
    return f"{path} is {_shown(value)}{did_you_mean(value, allowed)}; allowed: {', '.join(allowed)}"


def _doc(field: FieldInfo | None) -> str:
    return (field.description if field else None) or ""


class _Repr(Repr):
    """Python's, but for what ``params.yaml`` spells in its own way."""

    def repr1(self, x: object, level: int) -> str:
        return show(x) if x is None or isinstance(x, bool) else super().repr1(x, level)


_repr = _Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80
_repr.maxlist = _repr.maxdict = _repr.maxlevel = 4


def _shown(value: object) -> str:
    """Return a value with texts in quotes, cut short if it is long."""
    text = _repr.repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
