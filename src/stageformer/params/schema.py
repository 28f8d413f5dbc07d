"""The JSON Schema of ``params.yaml``, for editors: completion, descriptions and red underlines while typing."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from stageformer.params.base import is_optional

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(groups: Mapping[str, type]) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a parameter file with these groups: name of the group to parameter class."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Parameters of Stageformer",
        **_object({name: _class_schema(cls) for name, cls in groups.items()}),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _class_schema(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    properties = {}
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            nested = _class_schema(typing.cast(type, kind))
            properties[field.name] = {**nested, "description": field.metadata["doc"]}
        else:
            properties[field.name] = _field_schema(field, kind)
    return {"description": inspect.getdoc(cls), **_object(properties)}


def _field_schema(field: dataclasses.Field[Any], kind: Any) -> dict[str, Any]:
    metadata = field.metadata
    optional = is_optional(kind)
    if optional:
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    if typing.get_origin(kind) is list:
        (item_kind,) = typing.get_args(kind)
        schema: dict[str, Any] = {"type": "array", "items": _limits(_TYPES[item_kind], metadata)}
    else:
        schema = _limits(_TYPES[kind], metadata)
    if optional:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"].append(None)
    return {"description": metadata["doc"], **schema}


def _limits(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    if metadata["choices"]:
        schema["enum"] = list(metadata["choices"])
    for name in ("minimum", "maximum"):
        if metadata[name] is not None:
            schema[name] = metadata[name]
    return schema
