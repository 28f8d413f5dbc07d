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
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_SEED = 2**63 - 1
"""The largest seed that every generator of random numbers takes."""
MAX_TOKENS = 10**9
"""The largest number of tokens of a batch or a file: no limit in practice, but no overflow either."""
MAX_UPDATES = 10**9

WRONG_TYPE = "wrong_type"
"""The type of an error whose text says what a value must be."""


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


def documented(cls: type, null: str = "") -> Any:
    """Return a base class for a group that shares fields with a dataclass, so that they are declared once, there.

    Each field of the dataclass that is ``Annotated[type, meaning]``, or for a number ``Annotated[type, meaning, lowest,
    highest]``, becomes a parameter of the group. Its default does not: no parameter has one.

    Args:
        cls: the dataclass.
        null: what null means, for a group in which each of the parameters may be null.
    """
    fields = {}
    for name, kind in typing.get_type_hints(cls, include_extras=True).items():
        if typing.get_origin(kind) is Annotated:
            bare, doc, *bounds = typing.get_args(kind)
            low, high = bounds or (None, None)
            if null:
                bare, doc = bare | None, f"{doc.partition('; null: ')[0]}; null: {null}"
            fields[name] = Annotated[bare, param(doc, minimum=low, maximum=high)]
    return type(cls.__name__, (), {"__annotations__": fields, "__doc__": cls.__doc__})


def _as_text(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError(WRONG_TYPE, "a text or a whole number")
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
        from stageformer.params.messages import first_mistake  # which imports this module

        raise first_mistake(cls, error, path) from None


class OneOf:
    """Marks a text that is one out of a list known only at run time, as ``Annotated[str, OneOf(names)]``."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema([*self.values])


class Needs:
    """Marks a parameter some of whose values need packages: ``Annotated[kind, Needs({value: (package,)})]``.

    A kind that has a file of its own says there what it needs (``provenance/needs.py``).

    Args:
        packages: by value, the packages of :data:`stageformer.errors.EXTRAS`.
    """

    def __init__(self, packages: Mapping[str, tuple[str, ...]]) -> None:
        self.packages = packages


class Limits(NamedTuple):
    """The lowest and the highest value of a number, inclusive; infinite where there is none."""

    low: float
    high: float


def limits(field: FieldInfo) -> Limits:
    """Return the limits of a field, as they were given to :func:`param`; of a list, those of its items."""
    marks = [mark for item in typing.get_args(field.annotation) for mark in getattr(item, "__metadata__", ())]
    metadata = [*field.metadata, *(item for mark in marks for item in getattr(mark, "metadata", ()))]
    low = next((item.ge for item in metadata if hasattr(item, "ge")), -math.inf)
    high = next((item.le for item in metadata if hasattr(item, "le")), math.inf)
    return Limits(low, high)


def is_optional(field: FieldInfo) -> bool:
    """Say whether a field may be ``null``: ``X | None``."""
    return type(None) in _options(field.annotation)


def value_type(field: FieldInfo) -> Any:
    """Return the type of a field that is not a group, without ``None``; of a list, that of its items."""
    kind = next(option for option in _options(field.annotation) if option is not type(None))
    while typing.get_origin(kind) in (Annotated, list):
        kind = typing.get_args(kind)[0]
    return kind


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the allowed values of a text, or of each item of a list; none if it may have any value."""
    items = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is list else ()
    for item in (*field.metadata, *(mark for kind in items for mark in getattr(kind, "__metadata__", ()))):
        if isinstance(item, OneOf):
            return item.values
    kind = value_type(field)
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def kinds(field: FieldInfo) -> dict[str, type[Params]]:
    """Return the groups that a field may be, by the value of its parameter ``kind``; {} if it is no such union."""
    name = field.discriminator
    if not isinstance(name, str):
        return {}
    classes = [cls for cls in _options(field.annotation) if cls is not type(None)]
    return {tag: cls for cls in classes for tag in choices(cls.model_fields[name])}


def group_of(field: FieldInfo, values: Mapping[str, Any] | None = None) -> type[Params] | None:
    """Return the class of a field that is a group, or None. Of a union, it is that of the ``values``."""
    by_kind = kinds(field)
    if by_kind:
        return by_kind.get((values or {}).get(typing.cast(str, field.discriminator), ""))
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Params) else None


def _options(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
