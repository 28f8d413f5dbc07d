"""Recipes: named overlays of the default parameters, ``recipes/NAME.yaml``, that can be combined.

``recipes/default.yaml`` is the complete set; every other recipe holds only what it changes. The first line of a recipe
is a comment that describes it. What it changes only beside certain others is in sections of its own::

    # Multi30k English to German
    tokenize:
      vocabulary_size: 5000
    with joint:                 # if the recipe joint is used, too
      train_decoder: {training: {max_updates: 7000}}
    without joint:              # if it is not
      train_decoder: {training: {max_updates: 3300}}

A recipe is laid over those named before it, and its sections over all that they name. So the values of a section
settle what the recipes that it names would disagree about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stageformer.artifacts.files import atomic_file
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.base import Params, group_of, is_optional, kinds
from stageformer.params.differences import Difference, compare, leaves
from stageformer.params.earlier import moved
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import parse_yaml, read_file, read_yaml
from stageformer.params.render import made_with, render

DEFAULT = "default"


@dataclass(frozen=True)
class Part:
    """Parameters of a recipe, and which other recipes must be used, too, or must not, for them to count."""

    recipe: str
    values: Mapping[str, Any]
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def applies(self, names: Sequence[str]) -> bool:
        """Say whether the part is to be laid over the others if these recipes are used."""
        return set(self.used) <= set(names) and not set(self.unused) & set(names)


@dataclass(frozen=True)
class Recipe:
    """A file of ``recipes/``."""

    name: str
    description: str
    parts: Sequence[Part] = ()
    """None of the default, or of a recipe with a mistake, which the description then names."""

    def mentions(self, name: str) -> bool:
        """Say whether a section names another recipe."""
        return any(name in (*part.used, *part.unused) for part in self.parts)

    def needs(self) -> tuple[str, ...]:
        """Return the recipes without which this one changes nothing."""
        return min((part.used for part in self.parts), key=len, default=())

    def combinations(self) -> Iterator[tuple[str, ...]]:
        """Yield each combination of recipes that this one has values for, in an order that they can be named in."""
        for part in self.parts:
            yield (*part.used, self.name) if self.needs() else (self.name, *part.used)


@dataclass(frozen=True)
class Combination:
    """The default parameters with some recipes laid over them."""

    values: dict[str, Any]
    conflicts: list[str]
    """For each two recipes that set the same parameters differently, these, a line each: the later one counts."""


@dataclass(frozen=True)
class Applied:
    """What :func:`use` did."""

    differences: list[Difference]
    """Every parameter that changed: what ``params.yaml`` held before -> what it holds now."""
    conflicts: list[str]
    """See :class:`Combination`."""
    nearest: str
    """The recipes that the earlier ``params.yaml`` differed least from."""
    lost: list[Difference]
    """Changes made by hand to the earlier ``params.yaml``, held by no recipe: the recipe's value -> the lost one."""


def list_recipes(folder: Path) -> dict[str, Recipe]:
    """Return the recipes in ``folder`` by name, the default first.

    Raises:
        StageformerError: the folder has no ``default.yaml``.
    """
    recipes = {}
    names = _names(folder)
    for name in names:
        try:
            recipes[name] = _read(name, names, folder)
        except StageformerError as error:
            recipes[name] = Recipe(name, f"cannot be used: {error}")
    return recipes


def combinations(folder: Path) -> list[str]:
    """Return every combination of recipes that has values of its own, as :func:`load_recipe` takes it."""
    every = [" ".join(names) for recipe in list_recipes(folder).values() for names in recipe.combinations()]
    return list(dict.fromkeys([DEFAULT, *every]))


def load_recipe(names: str, folder: Path) -> dict[str, Any]:
    """Return the complete, checked parameters of one recipe, or of several; see :func:`combine`."""
    return combine(names, folder).values


def combine(names: str, folder: Path) -> Combination:
    """Lay recipes over the default parameters.

    Args:
        names: of one recipe or of several, with blanks between them. Later ones are laid over earlier ones.
        folder: of the recipes.

    Raises:
        StageformerError: there is no such recipe, it changes nothing without others that are not named, it names an
            unknown parameter, or a value is not allowed.
    """
    known = _names(folder)
    chosen = list(dict.fromkeys(names.split()))
    for name in chosen:
        if name not in known:
            raise StageformerError(
                f"there is no recipe {name!r}{did_you_mean(name, known)}; `stageformer use` lists: {', '.join(known)}"
            )
    path = folder / f"{DEFAULT}.yaml"
    default = read_yaml(path)
    recipes = [_read(name, known, folder) for name in chosen if name != DEFAULT]
    overlay = _Overlay(default)
    for part in _in_order(recipes, chosen):
        path = folder / f"{part.recipe}.yaml"
        try:
            overlay.add(part)
        except StageformerError as error:
            raise StageformerError(f"{path}: {error}") from None
    try:
        check(overlay.values)
    except StageformerError as error:
        where = path if len(recipes) < 2 else f"recipes {' '.join(recipe.name for recipe in recipes)}"
        raise StageformerError(f"{where}: {error}") from None
    return Combination(overlay.values, overlay.conflicts())


def use(names: str, params: Path, folder: Path) -> Applied:
    """Replace the parameter file with recipes. It is written in one step, and only if they are free of mistakes.

    Args:
        names: see :func:`combine`.
        params: the parameter file.
        folder: of the recipes.

    Raises:
        StageformerError: as :func:`combine`, or the present parameter file is not readable as YAML.
    """
    new = combine(names, folder)
    text = render(Parameters, new.values, "" if names.strip() == DEFAULT else names)
    try:
        before = read_file(params) if params.exists() else b""
        old = moved(parse_yaml(before, str(params))) if before else {}
    except StageformerError as error:
        raise StageformerError(f"{error}; fix or remove the file, then run `stageformer use {names}` again") from None
    nearest, lost = _made_by_hand(old, [*combinations(folder), *made_with(before.decode())], folder)
    with atomic_file(params) as file:
        file.write(text.encode())
    return Applied(compare(old, new.values), new.conflicts, nearest, lost)


def _names(folder: Path) -> list[str]:
    names = sorted((path.stem for path in folder.glob("*.yaml")), key=lambda name: (name != DEFAULT, name))
    if not names or names[0] != DEFAULT:
        raise StageformerError(f"{folder / DEFAULT}.yaml: no such file; run from the root of the repository")
    return names


def _read(name: str, names: Sequence[str], folder: Path) -> Recipe:
    if name == DEFAULT:
        return Recipe(name, "every parameter at its default")
    path = folder / f"{name}.yaml"
    content = read_file(path)
    values = parse_yaml(content, str(path))
    line = content.decode().partition("\n")[0].strip()
    if not line.startswith("#") or not line.lstrip("# "):
        raise StageformerError(f"{path}, line 1: a recipe starts with a comment that describes it, found {line!r}")
    try:
        parts = [_section(name, key, values.pop(key), names) for key in list(values) if _is_section(key)]
    except StageformerError as error:
        raise StageformerError(f"{path}: {error}") from None
    return Recipe(name, line.lstrip("# "), [Part(name, values), *parts] if values else parts)


def _is_section(key: object) -> bool:
    return isinstance(key, str) and key.partition(" ")[0] in ("with", "without")


def _section(recipe: str, key: str, values: object, names: Sequence[str]) -> Part:
    others: dict[str, list[str]] = {"with": [], "without": []}
    for word in key.split():
        if word in others:
            current = others[word]
        elif word not in names or word in (DEFAULT, recipe):
            raise StageformerError(f"{key!r} names no other recipe {word!r}{did_you_mean(word, names)}")
        else:
            current.append(word)
    if not any(others.values()):
        raise StageformerError(f"{key!r} names no recipe")
    if not isinstance(values, Mapping):
        raise StageformerError(f"{key!r} must hold groups of parameters, found {values!r}")
    return Part(recipe, values, tuple(others["with"]), tuple(others["without"]))


def _in_order(recipes: Sequence[Recipe], chosen: Sequence[str]) -> list[Part]:
    """Return the parts that count, each after all recipes that it names; of these, those that name fewer come first."""
    parts: list[tuple[int, int, Part]] = []
    for recipe in recipes:
        counting = [part for part in recipe.parts if part.applies(chosen)]
        if not counting:
            needed = [name for name in recipe.needs() if name not in chosen]
            if not needed:
                others = ", ".join(name for name in chosen if name != recipe.name)
                raise StageformerError(f"the recipe {recipe.name!r} changes nothing beside {others}")
            raise StageformerError(
                f"the recipe {recipe.name!r} is only for {' '.join(recipe.needs())}; run "
                f"`stageformer use {' '.join([*needed, *chosen])}`"
            )
        for part in counting:
            place = max(chosen.index(name) for name in (part.recipe, *part.used))
            parts.append((place, len(part.used) + len(part.unused), part))
    return [part for *_, part in sorted(parts, key=lambda entry: entry[:2])]


@dataclass(frozen=True)
class _Disagreement:
    earlier: Part
    later: Part
    difference: Difference


@dataclass
class _Overlay:
    """The default with parts laid over it one by one, and who set what."""

    values: dict[str, Any]
    _setters: dict[str, tuple[Part, object]] = field(default_factory=dict)
    _disagreements: dict[str, list[_Disagreement]] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Lay the values of a part over all others. Raises StageformerError if it names an unknown parameter."""
        self.values = _laid_over(self.values, part.values, Parameters)
        settled = {part.recipe, *part.used}
        for key, value in leaves(part.values):
            open_ones = [
                found for found in self._disagreements.get(key, [])
                if not {found.earlier.recipe, found.later.recipe} <= settled
            ]  # fmt: skip
            if key in self._setters:
                earlier, old = self._setters[key]
                if earlier.recipe not in settled and repr(old) != repr(value):
                    open_ones.append(_Disagreement(earlier, part, Difference(key, old, value)))
            self._setters[key], self._disagreements[key] = (part, value), open_ones

    def conflicts(self) -> list[str]:
        """Return what each two recipes disagree about, unless a section that names both settles it."""
        by_pair: dict[tuple[str, str], list[Difference]] = {}
        for found in (found for disagreements in self._disagreements.values() for found in disagreements):
            by_pair.setdefault((found.earlier.recipe, found.later.recipe), []).append(found.difference)
        return [
            "\n  ".join([f"{later} overrides {earlier}:", *map(str, differences)])
            for (earlier, later), differences in by_pair.items()
        ]


def _laid_over(
    base: Mapping[str, Any], changes: Mapping[str, Any], cls: type[Params] | None, prefix: str = ""
) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        if key not in base:
            raise StageformerError(f"unknown parameter {prefix}{key}{did_you_mean(str(key), base)}")
        declared = cls.model_fields.get(key) if cls else None
        is_none = value is None and declared is not None and is_optional(declared)
        if isinstance(base[key], Mapping) and not is_none:
            if not isinstance(value, Mapping):
                raise StageformerError(f"{prefix}{key} is a group of parameters, found {value!r}")
            kind = declared.discriminator if declared and kinds(declared) else None
            if declared and kind is not None and kind not in value:
                # What another recipe has made a group of another kind, a parameter of the old one is not for.
                others = {name for of_kind in kinds(declared).values() for name in of_kind.model_fields}
                value = {name: one for name, one in value.items() if name in base[key] or name not in others}
            # A group of another kind has other parameters: nothing of the old one stays.
            if kind is None or value.get(kind, base[key].get(kind)) == base[key].get(kind):
                inner = group_of(declared, base[key]) if declared else None
                value = _laid_over(base[key], value, inner, f"{prefix}{key}.")
        result[key] = value
    return result


def _made_by_hand(
    current: Mapping[str, Any], candidates: Sequence[str], folder: Path
) -> tuple[str, list[Difference]]:
    """Return the recipes that a parameter file differs least from, and its differences from them."""
    if not current:
        return DEFAULT, []
    distances = {}
    for names in candidates:
        try:
            distances[names] = compare(load_recipe(names, folder), current)
        except StageformerError:  # a mistake in a recipe is reported where the recipe is used
            continue
    nearest = min(distances, key=lambda names: len(distances[names]))
    return nearest, distances[nearest]
