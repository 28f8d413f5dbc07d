"""From the plain mappings of ``params.yaml`` to typed, checked parameter classes.

A parameter class is a frozen dataclass whose fields are made by :func:`param`. No field has a default: every value
stands in ``params.yaml``, so that nothing that shapes a result is hidden in code.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from stageformer.errors import StageformerError, did_you_mean

P = TypeVar("P")

_TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def param(
    doc: str,
    *,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare one parameter of a group.

    Args:
        doc: what it means, with its unit.
        choices: the allowed values of a string.
        minimum: the smallest allowed number, inclusive.
        maximum: the largest allowed number, inclusive.
    """
    return dataclasses.field(metadata={"doc": doc, "choices": choices, "minimum": minimum, "maximum": maximum})


def parse(cls: type[P], values: object, path: str) -> P:
    """Build the parameter class ``cls`` from the mapping ``values`` found at ``path`` in ``params.yaml``.

    Raises:
        StageformerError: an unknown or missing key, a value of the wrong type or outside of its limits, or a
            combination that the class itself rejects in ``__post_init__``. The message names the key.
    """
    if not isinstance(values, Mapping):
        raise StageformerError(f"params: {path} must be a group of parameters, found {values!r}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise StageformerError(f"params: unknown key {path}.{key}{did_you_mean(str(key), fields)}")
    missing = [name for name in fields if name not in values]
    if missing:
        name = missing[0]
        raise StageformerError(f"params: {path}.{name} is missing ({fields[name].metadata.get('doc', 'a group')})")
    parsed = {name: _value(hints[name], values[name], f"{path}.{name}", field) for name, field in fields.items()}
    try:
        return cls(**parsed)
    except StageformerError as error:
        raise StageformerError(f"params: {path}: {error}") from None


def parse_all(groups: Mapping[str, type], values: object) -> dict[str, Any]:
    """Parse a whole ``params.yaml``: every group present, none unknown. Raises StageformerError as :func:`parse`."""
    if not isinstance(values, Mapping):
        raise StageformerError(f"params: expected groups of parameters, found {values!r}")
    for key in values:
        if key not in groups:
            raise StageformerError(f"params: unknown group {key}{did_you_mean(str(key), groups)}")
    for name in groups:
        if name not in values:
            raise StageformerError(f"params: the group {name} is missing")
    return {name: parse(cls, values[name], name) for name, cls in groups.items()}


def is_optional(kind: Any) -> bool:
    """Say whether a field of this type may be ``null``: ``X | None``."""
    return typing.get_origin(kind) in (types.UnionType, typing.Union) and type(None) in typing.get_args(kind)


def _value(kind: Any, value: object, path: str, field: dataclasses.Field[Any]) -> Any:
    if dataclasses.is_dataclass(kind):
        return parse(typing.cast(type, kind), value, path)
    if is_optional(kind):
        if value is None:
            return None
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    if typing.get_origin(kind) is list:
        (item_kind,) = typing.get_args(kind)
        if not isinstance(value, list):
            raise StageformerError(f"params: {path} must be a list of {item_kind.__name__}, found {value!r}")
        return [_scalar(item_kind, item, f"{path}[{index}]", field) for index, item in enumerate(value)]
    return _scalar(kind, value, path, field)


def _scalar(kind: type, value: object, path: str, field: dataclasses.Field[Any]) -> Any:
    # bool is a subclass of int in Python: `true` must not pass for 1.
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise StageformerError(f"params: {path} must be {_TYPE_NAMES[kind]}, found {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise StageformerError(f"params: {path} must be a finite number, found {value!r}")
    limits = field.metadata
    choices = limits.get("choices")
    if choices and value not in choices:
        allowed = ", ".join(choices)
        raise StageformerError(f"params: {path} is {value!r}{did_you_mean(str(value), choices)}; allowed: {allowed}")
    if isinstance(value, int | float):
        low, high = limits.get("minimum"), limits.get("maximum")
        if low is not None and value < low:
            raise StageformerError(f"params: {path} is {value!r}; the minimum is {low}")
        if high is not None and value > high:
            raise StageformerError(f"params: {path} is {value!r}; the maximum is {high}")
    return value
