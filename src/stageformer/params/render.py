"""The text of ``params.yaml``: every value under a comment made from its parameter class."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from stageformer.params.base import is_optional

_HEADER = """\
# yaml-language-server: $schema=data/check/params.schema.json
#
# Every parameter of the pipeline. A change in a group reruns the stage of its name and what depends on it; compute
# belongs to the stages that run the model. No value after the colon means null. `stageformer use RECIPE` replaces this
# file with a recipe, `stageformer check` checks it, `dvc exp run -S GROUP.NAME=VALUE` tries another value.
"""
_WIDTH = 118
# Texts that need no quotes, unless YAML reads them as something else.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def render(groups: Mapping[str, type], values: Mapping[str, Any]) -> str:
    """Return the text of a whole, checked parameter file: the values, in the order of the classes, with comments."""
    lines = [_HEADER.rstrip("\n")]
    for name, cls in groups.items():
        doc = " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())
        lines += ["", *_group(name, cls, doc, values[name], indent="")]
    return "\n".join(lines) + "\n"


def describe(field: dataclasses.Field[Any], kind: Any) -> str:
    """Return what a parameter means and which values it may have, as its comment in ``params.yaml`` says it."""
    metadata = field.metadata
    low, high = metadata["minimum"], metadata["maximum"]
    allowed = []
    if metadata["choices"]:
        allowed.append(" | ".join(metadata["choices"]))
    elif bool in (kind, *typing.get_args(kind)):
        allowed.append("true | false")
    elif low is not None and high is not None:
        allowed.append(f"{low} to {high}")
    elif low is not None:
        allowed.append(f"{low} or more")
    elif high is not None:
        allowed.append(f"{high} or less")
    if is_optional(kind):
        allowed += ["null"] if allowed else ["a value", "null"]
    return f"{metadata['doc']} [{', or '.join(allowed)}]" if allowed else str(metadata["doc"])


def _group(name: str, cls: type, doc: str, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield from _comment(doc, indent)
    yield f"{indent}{name}:"
    hints = typing.get_type_hints(cls)
    inner = indent + "  "
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            doc = field.metadata["doc"]
            yield from _group(field.name, typing.cast(type, kind), doc, values[field.name], inner)
        else:
            yield from _comment(describe(field, kind), inner)
            # Spelt as DVC spells it when an experiment changes a value, so that only that line differs.
            value = values[field.name]
            yield f"{inner}{field.name}:" + ("" if value is None else f" {_scalar(value)}")


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
