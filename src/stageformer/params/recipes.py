"""Recipes: named overlays of the default parameters, ``recipes/NAME.yaml``.

``recipes/default.yaml`` is the complete set; every other recipe holds only what it changes. The first line of a recipe
is a comment that describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import read_yaml
from stageformer.params.render import render

DEFAULT = "default"
ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One parameter that two sets of parameters hold different values of."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.key}: {show(self.old)} -> {show(self.new)}"


@dataclass(frozen=True)
class Applied:
    """What :func:`use` did."""

    differences: list[Difference]
    """Every parameter that changed: what ``params.yaml`` held before -> what it holds now."""
    nearest: str
    """The recipe that the earlier ``params.yaml`` differed least from."""
    lost: list[Difference]
    """Changes made by hand to the earlier ``params.yaml``, held by no recipe: the recipe's value -> the lost one."""


def list_recipes(folder: Path) -> dict[str, str]:
    """Return the name and the description of each recipe in ``folder``, by name, the default first.

    Raises:
        StageformerError: the folder has no ``default.yaml``, or a recipe does not start with a comment.
    """
    paths = sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != DEFAULT, path.stem))
    if not paths or paths[0].stem != DEFAULT:
        raise StageformerError(f"{folder / DEFAULT}.yaml: no such file; run from the root of the repository")
    return {path.stem: _description(path) for path in paths}


def load_recipe(name: str, folder: Path) -> dict[str, Any]:
    """Return the complete, checked parameters of a recipe: the default with the recipe's values laid over it.

    Raises:
        StageformerError: there is no such recipe, it names an unknown parameter, or a value is not allowed.
    """
    names = list_recipes(folder)
    if name not in names:
        raise StageformerError(
            f"there is no recipe {name!r}{did_you_mean(name, names)}; `stageformer use` lists: {', '.join(names)}"
        )
    values: dict[str, Any] = read_yaml(folder / f"{DEFAULT}.yaml")
    path = folder / f"{name}.yaml"
    try:
        if name != DEFAULT:
            values = _overlay(values, read_yaml(path))
        check(values)
    except StageformerError as error:
        raise StageformerError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    return values


def use(name: str, params: Path, folder: Path) -> Applied:
    """Replace the parameter file with a recipe. It is written in one step, and only if the recipe is free of mistakes.

    Raises:
        StageformerError: as :func:`load_recipe`, or the present parameter file is not readable as YAML.
    """
    new = load_recipe(name, folder)
    text = render(Parameters, new).encode()
    try:
        old = read_yaml(params) if params.exists() else {}
    except StageformerError as error:
        raise StageformerError(f"{error}; mend or remove the file, then run `stageformer use {name}` again") from None
    nearest, lost = _made_by_hand(old, folder) if old else (DEFAULT, [])
    with atomic_file(params) as file:
        file.write(text)
    return Applied(differences=compare(old, new), nearest=nearest, lost=lost)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return the parameters that differ, in the order of ``new``, then those that only ``old`` has."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    keys = [*after, *(key for key in before if key not in after)]
    pairs = ((key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys)
    # repr: 1 and 1.0 and true are three values here, though equal in Python.
    return [Difference(*pair) for pair in pairs if repr(pair[1]) != repr(pair[2])]


def show(value: object) -> str:
    """Return a value as ``params.yaml`` spells it, near enough for reading."""
    if isinstance(value, list):
        return f"[{', '.join(show(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _description(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        line = file.readline().strip()
    if path.stem == DEFAULT:
        return "every parameter at its default"
    if not line.startswith("#") or not line.lstrip("# "):
        raise StageformerError(f"{path}, line 1: a recipe starts with a comment that describes it, found {line!r}")
    return line.lstrip("# ")


def _overlay(base: Mapping[str, Any], changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        if key not in base:
            raise StageformerError(f"unknown parameter {prefix}{key}{did_you_mean(str(key), base)}")
        if isinstance(base[key], Mapping):
            if not isinstance(value, Mapping):
                raise StageformerError(f"{prefix}{key} is a group of parameters, found {value!r}")
            value = _overlay(base[key], value, f"{prefix}{key}.")
        result[key] = value
    return result


def _made_by_hand(current: Mapping[str, Any], folder: Path) -> tuple[str, list[Difference]]:
    distances = {name: compare(load_recipe(name, folder), current) for name in list_recipes(folder)}
    nearest = min(distances, key=lambda name: len(distances[name]))
    return nearest, distances[nearest]


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
