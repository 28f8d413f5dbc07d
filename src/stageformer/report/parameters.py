"""The parameters: all of them by group, and those whose values differ between two sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.params.base import Params, group_of, kinds
from stageformer.params.differences import ABSENT, compare, leaves, show
from stageformer.params.groups import Parameters


@dataclass(frozen=True)
class Changed:
    """A parameter that some experiments have other values of."""

    key: str
    values: tuple[str, ...]
    """in each"""
    meaning: str


def groups(params: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, list[str], bool]]]]:
    """Return each group: its parameters, their values in every experiment, and whether these differ.

    A parameter that an experiment does not have, such as one from before it was introduced, is ``(absent)`` there.
    """
    names = list(dict.fromkeys(name for values in params for name in values))
    found = []
    for name in names:
        # Against nothing, every parameter differs: this lists them all.
        leaves = [
            {entry.key: show(entry.new) for entry in compare({}, {name: values[name]} if name in values else {})}
            for values in params
        ]
        keys = dict.fromkeys(key for leaf in leaves for key in leaf)
        rows = []
        for key in keys:
            values = [leaf.get(key, "(absent)") for leaf in leaves]
            rows.append((key.removeprefix(f"{name}."), values, len(set(values)) > 1))
        found.append((name, rows))
    return found


def differences(params: Sequence[Mapping[str, Any]]) -> list[Changed]:
    """Return the parameters that differ in any of two or more, with what they mean, in the order of ``params.yaml``."""
    changed = {entry.key for values in params[1:] for entry in compare(params[0], values)}
    flat = [dict(leaves(values)) for values in params]
    # The order of the last; what it lacks comes after.
    keys = dict.fromkeys(key for values in reversed(flat) for key in values)
    return [
        Changed(key, tuple(show(values.get(key, ABSENT)) for values in flat), _meaning(key))
        for key in keys
        if key in changed
    ]


def _meaning(key: str) -> str:
    """What a parameter means; "" for one that today's classes do not know."""
    cls: type[Params] | None = Parameters
    meaning = ""
    names = key.split(".")
    for name, inner in zip(names, [*names[1:], ""], strict=True):
        if cls is None or name not in cls.model_fields:
            return ""
        field = cls.model_fields[name]
        meaning, cls = field.description or "", group_of(field)
        # Of a group of several kinds, any that has the parameter: its meaning is the same in each.
        owners = [kind for kind in kinds(field).values() if inner in kind.model_fields]
        cls = owners[0] if owners else cls
    return meaning
