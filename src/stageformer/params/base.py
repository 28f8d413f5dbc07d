"""From the plain mappings of ``params.yaml`` to typed, checked parameter classes.

A group of parameters is a subclass of :class:`Params` whose fields are made by :func:`param`. No field has a default:
every value is in ``params.yaml``, so that nothing that shapes a result is hidden in code. Pydantic validates; the
messages are ours: one line, with the dotted path of the parameter, what was found, and the nearest valid name.

A field may also be one of several groups, of which a parameter ``kind`` chooses one::

    class Bpe(Params):
        kind: Literal["bpe"] = param("how the tokenizer is made")
        vocabulary_size: int = param("number of tokens to learn", minimum=8, maximum=1_000_000)

    class Tokenize(Params):
        source: Bpe | Loaded = group("where the tokenizer comes from", kind="kind")
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from reprlib import Repr
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from stageformer.errors import StageformerError, did_you_mean

MAX_SEED = 2**63 - 1
"""The largest seed that every generator of random numbers takes."""
MAX_TOKENS = 10**9
"""The largest number of tokens of a batch or a file: no limit in practice, but no overflow either."""
MAX_UPDATES = 10**9

_TYPES = {"string_type": "a text", "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false"}
_PLURALS = {int: "whole numbers", float: "numbers", bool: "true and false"}
_CUSTOM = "wrong_type"


class Params(BaseModel):
    """A group of ``params.yaml``. A combination of values that is impossible is a ``ValueError`` of a validator."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


P = TypeVar("P", bound=Params)


def param(doc: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:
    """Declare one parameter. Its choices are a ``Literal`` or :class:`OneOf`; a number has both limits, inclusive.

    Args:
        doc: what it means, with its unit. What ``null`` means comes last, as ``"; null: no limit"``.
        minimum: the lowest value that makes sense.
        maximum: the highest value that makes sense, and that the code takes without an overflow.
    """
    return Field(description=doc, ge=minimum, le=maximum)


def group(doc: str, *, kind: str | None = None) -> Any:
    """Declare a group within a group.

    Args:
        doc: what it means.
        kind: for a union of groups, the name of the parameter that says which of them it is: a ``Literal`` in each.
    """
    return Field(description=doc, discriminator=kind)


def documented(cls: type) -> Any:
    """Return a base class for a group that shares fields with a dataclass, so that they are declared once, there.

    Each field of the dataclass that is ``Annotated[type, meaning]``, or for a number ``Annotated[type, meaning, lowest,
    highest]``, becomes a parameter of the group. Its default does not: no parameter has one.
    """
    fields = {}
    for name, kind in typing.get_type_hints(cls, include_extras=True).items():
        if typing.get_origin(kind) is Annotated:
            bare, doc, *bounds = typing.get_args(kind)
            low, high = bounds or (None, None)
            fields[name] = Annotated[bare, param(doc, minimum=low, maximum=high)]
    return type(cls.__name__, (), {"__annotations__": fields, "__doc__": cls.__doc__})


def _as_text(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError(_CUSTOM, "a text or a whole number")
    return value


Name = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
"""The name or the number of something, such as a column: 1 and "1" are the same."""


def parse(cls: type[P], values: object, path: str) -> P:
    """Build the parameter class ``cls`` from the mapping ``values`` found at ``path`` in ``params.yaml``.

    Args:
        cls: the class.
        values: as YAML has them.
        path: dotted; ``""`` for the whole file.

    Raises:
        StageformerError: an unknown or missing key, a value of the wrong type or outside of its limits, or a
            combination that the class rejects. The message names the key.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        message = _message(cls, _first(error.errors(include_url=False)), path)
        raise StageformerError(f"params: {message}") from None


class OneOf:
    """Marks a text that is one out of a list known only at run time, as ``Annotated[str, OneOf(names)]``."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema([*self.values])


class Limits(NamedTuple):
    """The lowest and the highest value of a number, inclusive; infinite where there is none."""

    low: float
    high: float


def limits(field: FieldInfo) -> Limits:
    """Return the limits of a field, as they were given to :func:`param`."""
    low = next((item.ge for item in field.metadata if hasattr(item, "ge")), -math.inf)
    high = next((item.le for item in field.metadata if hasattr(item, "le")), math.inf)
    return Limits(low, high)


def is_optional(field: FieldInfo) -> bool:
    """Say whether a field may be ``null``: ``X | None``."""
    return type(None) in _options(field.annotation)


def value_type(field: FieldInfo) -> Any:
    """Return the type of a field that is no group, without ``None``; of a list, that of its items."""
    kind = next(option for option in _options(field.annotation) if option is not type(None))
    if typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the allowed values of a text, or of each item of a list; none if it may have any value."""
    for item in field.metadata:
        if isinstance(item, OneOf):
            return item.values
    kind = value_type(field)
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def kinds(field: FieldInfo) -> dict[str, type[Params]]:
    """Return the groups that a field may be, by the value of its parameter ``kind``; {} if it is no union of groups."""
    name = field.discriminator
    if not isinstance(name, str):
        return {}
    return {tag: cls for cls in _options(field.annotation) for tag in choices(cls.model_fields[name])}


def group_of(field: FieldInfo, values: Mapping[str, Any] | None = None) -> type[Params] | None:
    """Return the class of a field that is a group, or None. Of a union, it is that of the ``values``."""
    by_kind = kinds(field)
    if by_kind:
        return by_kind.get((values or {}).get(typing.cast(str, field.discriminator), ""))
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Params) else None


def _options(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def _first(errors: Sequence[ErrorDetails], depth: int = 0) -> ErrorDetails:
    """Return the error to report: of each group, first an unknown key, then a missing one, then those of its fields."""
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
        if by_kind:  # Pydantic names the kind, too; it is no part of the path.
            place = _Place(place.path, by_kind[str(step)], None, place.field, str(step))
        elif isinstance(step, int):
            place = _Place(f"{place.path}[{step}]", place.owner, place.field, place.union, place.kind)
        else:
            inner = group_of(place.field) if place.field else None
            owner, union, kind = (inner, None, "") if inner else (place.owner, place.union, place.kind)
            joined = f"{place.path}.{step}" if place.path else step
            place = _Place(joined, owner, owner.model_fields.get(step), union, kind)
    return place


def _message(cls: type[Params], error: ErrorDetails, path: str) -> str:
    """Return our wording of an error of pydantic."""
    kind, value = error["type"], error["input"]
    place = _locate(cls, error["loc"] if kind != "invalid_key" else error["loc"][:-1], path)
    field = place.field
    if kind == "value_error":
        reason = str(error["ctx"]["error"])
        return f"{place.path}: {reason}" if place.path else reason
    if kind == "invalid_key":
        return f"unknown key {place.path}.{_shown(value)}"
    if kind == "extra_forbidden":
        return _unknown(place, str(error["loc"][-1]))
    if kind == "missing":
        is_top = not path and len(error["loc"]) == 1
        return f"the group {place.path} is missing" if is_top else f"{place.path} is missing ({_doc(field)})"
    if kind in ("model_type", "model_attributes_type"):
        what = f"{place.path} must be a group of parameters" if place.path else "expected groups of parameters"
        return f"{what}, found {_shown(value)}"
    if field is None:
        raise AssertionError(error)
    if kind == "union_tag_not_found":
        by_kind = kinds(field)
        doc = next(iter(by_kind.values())).model_fields[str(field.discriminator)].description
        return f"{place.path}.{field.discriminator} is missing ({doc})"
    if kind == "union_tag_invalid":
        return _no_choice(f"{place.path}.{field.discriminator}", value[field.discriminator], tuple(kinds(field)))
    if kind == "literal_error":
        return _no_choice(place.path, value, choices(field))
    if kind == _CUSTOM:
        return f"{place.path} must be {error['msg']}, found {_shown(value)}"
    if kind == "finite_number":
        return f"{place.path} must be a finite number, found {_shown(value)}"
    if kind == "list_type":
        return f"{place.path} must be a list of {_PLURALS.get(value_type(field), 'texts')}, found {_shown(value)}"
    low, high = limits(field)
    # An integer beyond the range of a float is no number for pydantic.
    is_huge = kind == "float_type" and isinstance(value, int) and not isinstance(value, bool)
    if kind in ("greater_than_equal", "less_than_equal") or is_huge:
        is_low = value < 0 if is_huge else kind == "greater_than_equal"
        limit = f"the minimum is {low}" if is_low else f"the maximum is {high}"
        _, has_null, meaning = _doc(field).partition("; null: ")
        return f"{place.path} is {_shown(value)}; {limit}{', or null: ' + meaning if has_null else ''}"
    return f"{place.path} must be {_TYPES[kind]}, found {_shown(value)}"


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


_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80
_repr.maxlist = _repr.maxdict = _repr.maxlevel = 4


def _shown(value: object) -> str:
    """Return a value as Python spells it, cut short if it is long."""
    text = _repr.repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
