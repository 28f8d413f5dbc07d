"""Plain values of a file, held against the fields of the dataclass that they are to become. Does not import torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints


def check_fields(cls: type, values: Any, name: str) -> None:
    """Check that ``values`` are those of a dataclass: every field, no other, each of its type and within its limits.

    A field that may be None is so where it is missing, and is never None in a file.

    Types are strict: ``True`` is no whole number. Numbers are not NaN. ``Annotated[type, meaning, lowest, highest]``
    has limits; types other than numbers, texts, truth values and ``Literal`` are left to the caller.

    Args:
        cls: the dataclass.
        values: what a file holds.
        name: of the values, for the message.

    Raises:
        ValueError: it names the first field that is wrong.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is {_short(values)}, not a group of values")
    hints = get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls)]
    if unknown := [key for key in values if key not in names]:
        raise ValueError(f"{name} has an unknown value {_short(unknown[0])}")
    for key in names:
        if key in values:
            _check(hints[key], values[key], f"{name}.{key}")
        elif not _may_be_none(hints[key]):
            raise ValueError(f"{name}.{key} is missing")


def _check(kind: Any, value: Any, name: str) -> None:
    low, high = -math.inf, math.inf
    if get_origin(kind) is Annotated:
        kind, _, *bounds = get_args(kind)
        low, high = bounds or (low, high)
    if _may_be_none(kind):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in get_args(kind):
            raise ValueError(f"{name} is {_short(value)}; allowed: {', '.join(get_args(kind))}")
    elif kind in (bool, str, int):
        if type(value) is not kind:
            raise ValueError(f"{name} is {_short(value)}, not of type {kind.__name__}")
    elif kind is float and (type(value) not in (int, float) or math.isnan(value)):
        raise ValueError(f"{name} is {_short(value)}, not a number")
    if kind in (int, float) and not low <= value <= high:
        raise ValueError(f"{name} is {_short(value)}, not within {low} to {high}")


def _may_be_none(kind: Any) -> bool:
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return type(None) in get_args(kind)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
