"""What editors and readers see of the parameter classes: the comments of ``params.yaml``, and its JSON Schema."""

from __future__ import annotations

import inspect
import json
import math
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from ruamel.yaml import YAML

from stageformer.params.base import Params, choices, group_of, is_optional, kinds, limits, value_type

_HEADER = """\
# yaml-language-server: $schema=data/check/params.schema.json
#
# Every parameter of the pipeline. A change in a group reruns the stage of its name and what depends on it; model
# belongs to both trainings, head to heads/dvc.yaml, compute to the stages that run the model, logging to none. No
# value after the colon means null. `stageformer use RECIPE` replaces this file with a recipe, `stageformer check`
# checks it, `dvc exp run -S GROUP.NAME=VALUE` tries another value.
"""
_WIDTH = 118
_NO_LIMIT = 10**9
"""A maximum from here on only keeps numbers from overflowing, and is of no interest to a reader."""
# Texts that need no quotes, unless YAML reads them as something else.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


_MADE_WITH = "# Made with `stageformer use {}`."


def render(cls: type[Params], values: Mapping[str, Any], recipes: str = "") -> str:
    """Return the text of a whole, checked parameter file: the values, in the order of the classes, with comments.

    Args:
        cls: the class of the whole file, whose fields are the groups.
        values: of every parameter.
        recipes: names of the recipes that the values are from; the file then says so.
    """
    lines = [_HEADER.rstrip("\n")] + [_MADE_WITH.format(recipes)] * bool(recipes)
    for name, field in cls.model_fields.items():
        group = typing.cast(type[Params], group_of(field))
        doc = " ".join((inspect.getdoc(group) or "").split("\n\n")[0].split())
        lines += ["", *_group(name, group, doc, values[name], indent="")]
    return "\n".join(lines) + "\n"


def made_with(text: str) -> list[str]:
    """Return the recipes that a parameter file says it was made with, or nothing."""
    return re.findall(_MADE_WITH.format("(.+)"), text)[:1]


def describe(field: FieldInfo, kinds_of_group: tuple[str, ...] = ()) -> str:
    """Return what a parameter means and which values it may have, as its comment in ``params.yaml`` says it.

    Args:
        field: of the parameter.
        kinds_of_group: if the parameter says which kind its group is, all the kinds.
    """
    low, high = limits(field)
    allowed = []
    if kinds_of_group or choices(field):
        allowed.append(" | ".join(kinds_of_group or choices(field)))
    elif value_type(field) is bool:
        allowed.append("true | false")
    elif low > -math.inf:
        allowed.append(f"{low:,} to {high:,}" if high < _NO_LIMIT else f"{low:,} or more")
    if is_optional(field):
        allowed += ["null"] if allowed else ["a group with its kind" if kinds(field) else "a value", "null"]
    return f"{field.description} [{', or '.join(allowed)}]" if allowed else str(field.description)


def _group(
    name: str, cls: type[Params], doc: str, values: Mapping[str, Any], indent: str, union: FieldInfo | None = None
) -> Iterator[str]:
    yield from _comment(doc, indent)
    yield f"{indent}{name}:"
    inner = indent + "  "
    for key, field in cls.model_fields.items():
        value = values[key]
        group = group_of(field, value if isinstance(value, Mapping) else None)
        if group:
            yield from _group(key, group, str(field.description), value, inner, field if kinds(field) else None)
        else:
            is_kind = union is not None and key == union.discriminator
            yield from _comment(describe(field, tuple(kinds(union)) if union and is_kind else ()), inner)
            # Spelt as DVC spells it when an experiment changes a value, so that only that line differs.
            yield f"{inner}{key}:" + ("" if value is None else f" {_scalar(value)}")


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value if YAML(typ="safe", pure=True).load(value) == value else f"'{value}'"
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        # YAML 1.1 takes 1e-09 for a text: it wants the point.
        return mantissa + ("" if "." in mantissa else ".0") + exponent + power
    return json.dumps(value, ensure_ascii=False)


def json_schema(cls: type[Params]) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a parameter file: completion, descriptions and red underlines while typing.

    Args:
        cls: the class of the whole file, whose fields are the groups.
    """
    schema = cls.model_json_schema(schema_generator=_EditorSchema)
    definitions = schema.pop("$defs", {})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_inlined(schema, definitions),
        "title": "Parameters of Stageformer",
    }


class _EditorSchema(GenerateJsonSchema):
    """Pydantic's schema without the titles that repeat each name, and with ``null`` as one more type, not as ``anyOf``.

    Editors say of a wrong value under ``anyOf`` that it matches nothing; of a type or a limit they say what is wrong.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if "oneOf" in inner:
            return inner | {"oneOf": [*inner["oneOf"], {"type": "null"}]}
        types = inner["type"] if isinstance(inner["type"], list) else [inner["type"]]
        values = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
        return inner | {"type": [*types, "null"]} | values

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return {key: value for key, value in super().model_schema(schema).items() if key != "title"}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Put each group where it is referred to: editors of draft 7 ignore a description beside a reference."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        definition = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = definition | {key: value for key, value in schema.items() if key != "$ref"}
    if "discriminator" in schema:
        schema = schema | {"discriminator": {"propertyName": schema["discriminator"]["propertyName"]}}
    return {key: _inlined(value, definitions) for key, value in schema.items()}
