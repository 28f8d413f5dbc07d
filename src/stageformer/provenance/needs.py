"""The optional packages that the parameters need, asked for before anything runs.

A kind that has a file of its own names in it the packages that it needs beyond those of every installation, by the
names that they are imported by::

    NEEDS = ("sentencepiece",)

What a kind needs for some of its files alone is in ``MAY_NEED``; it asks for that itself. Both are read from the syntax
tree, so that the check imports neither the kind nor the packages. A parameter whose values have no files declares what
they need beside its type (:class:`stageformer.params.base.Needs`).
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stageformer.errors import what_is_missing
from stageformer.params.base import Needs, Params, group_of
from stageformer.params.choices import kinds
from stageformer.params.groups import Parameters
from stageformer.params.messages import ParameterError
from stageformer.provenance.code import CHOICES, chosen_values

_NAME, _MAYBE = "NEEDS", "MAY_NEED"
_UNRECORDED = {"stageformer.training.loggers": ("logging.loggers",)}
"""As ``CHOICES``, but what is chosen is in no manifest."""


class Need(NamedTuple):
    """A package that a value of a parameter needs."""

    parameter: str
    """Its dotted name."""
    value: str
    package: str
    """The name that it is imported by."""


def check_packages(values: Mapping[str, Any]) -> None:
    """Raise ParameterError for the first package that checked parameters need and that is not installed.

    Args:
        values: the content of ``params.yaml``.
    """
    for need in needs(values):
        message = what_is_missing(need.package)
        if message:
            raise ParameterError(f"{need.parameter} {need.value!r}: {message}", need.parameter)


def needs(values: Mapping[str, Any]) -> Iterator[Need]:
    """Yield every package that checked parameters need beyond those of every installation."""
    yield from _of_values(values, Parameters)
    for package, parameters in {**CHOICES, **_UNRECORDED}.items():
        for parameter in parameters:
            for kind in chosen_values(values, parameter):
                yield from (Need(parameter.removesuffix("?"), kind, needed) for needed in needs_of_kind(package, kind))


def needs_of_kind(package: str, kind: str) -> tuple[str, ...]:
    """Return what the file of a kind says that it needs, without importing it.

    Args:
        package: dotted name of the package of kinds, a key of ``CHOICES``.
        kind: its name; one without a file of its own needs nothing.
    """
    return _constant(package, kind, _NAME)


def what_a_kind_may_need(package: str, kind: str) -> tuple[str, ...]:
    """Return the packages that a kind needs for some of its files alone; arguments as :func:`needs_of_kind`."""
    return _constant(package, kind, _MAYBE)


def _constant(package: str, kind: str, name: str) -> tuple[str, ...]:
    if kind not in kinds(package):
        return ()
    (folder,) = importlib.import_module(package).__path__
    tree = ast.parse((Path(folder) / f"{kind}.py").read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and [getattr(target, "id", "") for target in statement.targets] == [name]:
            return tuple(ast.literal_eval(statement.value))
    return ()


def _of_values(values: Mapping[str, Any], cls: type[Params], prefix: str = "") -> Iterator[Need]:
    for name, field in cls.model_fields.items():
        value = values[name]
        inner = group_of(field, value if isinstance(value, Mapping) else None)
        if inner:
            yield from _of_values(value, inner, f"{prefix}{name}.")
        for mark in field.metadata:
            if isinstance(mark, Needs):
                yield from (Need(f"{prefix}{name}", value, package) for package in mark.packages.get(value, ()))
