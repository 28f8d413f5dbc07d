"""Sweeps: a base recipe, the rows of a table, and the seeds that each row is run with, in ``sweeps/NAME.yaml``.

The first line is a comment that describes the sweep. Rows are named one by one, or are the product of axes; both give
parameters by their dotted names, as ``dvc exp run -S`` does::

    # Depth and heads
    recipe: tiny
    seeds: [1, 2, 3]
    axes:
      model.num_layers: [1, 2]
      model.num_heads: [2, 4]

With ``rows``, the first one is the base that the others are compared with, and ``published`` may give the scores of a
paper for each::

    recipe: multi30k joint
    seeds: [1, 2, 3]
    set: {export.formats: []}           # of every row
    rows:
      base: {}
      one head: {model.num_heads: 1}
    published:
      base: {bleu: 25.8}
      one head: {bleu: 24.9}
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.base import MAX_SEED
from stageformer.params.differences import leaves, show
from stageformer.params.groups import check
from stageformer.params.reading import parse_yaml, read_file
from stageformer.params.recipes import load_recipe
from stageformer.params.seeds import seeded
from stageformer.scoring.labels import LABELS

FOLDER = "sweeps"
_KEYS = ("recipe", "seeds", "set", "axes", "rows", "published")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
PUBLISHED = (*LABELS, "perplexity")


@dataclass(frozen=True)
class SweepRow:
    """A row of the table: one setting of the parameters, run with every seed."""

    name: str
    values: dict[str, Any]
    """every parameter, before the seed"""
    published: dict[str, float]
    """scores of others, by name"""


@dataclass(frozen=True)
class Run:
    """One experiment of a sweep."""

    name: str
    """of the experiment"""
    row: str
    seed: int
    values: dict[str, Any]
    """every parameter"""


@dataclass(frozen=True)
class Sweep:
    """A file of ``sweeps/``, checked."""

    name: str
    description: str
    rows: list[SweepRow]
    seeds: list[int]

    @property
    def runs(self) -> list[Run]:
        """Every experiment, seed by seed, so that each further seed adds one to every row."""
        return [
            Run(f"{self.name}-{_slug(row.name)}-seed{seed}", row.name, seed, seeded(row.values, seed))
            for seed in self.seeds
            for row in self.rows
        ]


def list_sweeps(root: Path) -> dict[str, str]:
    """Return the first line of each file in ``sweeps/``, by name."""
    return {path.stem: _description(path, read_file(path)) for path in sorted((root / FOLDER).glob("*.yaml"))}


def load_sweep(name: str, root: Path) -> Sweep:
    """Read ``sweeps/NAME.yaml`` and check the parameters of every row.

    Args:
        name: of the sweep
        root: of the repository

    Raises:
        StageformerError: there is no such sweep, its file is damaged, a parameter is unknown, or a row is not allowed.
    """
    path = root / FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.yaml"))
        listed = f"{FOLDER}/ has {', '.join(known)}" if known else f"{FOLDER}/ is empty"
        raise StageformerError(f"there is no sweep {name!r}{did_you_mean(name, known)}; {listed}")
    if not _NAME.fullmatch(name):
        raise StageformerError(f"{path}: the name of a sweep has only letters, digits, _ and -")
    content = read_file(path)
    found = parse_yaml(content, str(path))
    try:
        return _sweep(name, _description(path, content), found, root)
    except StageformerError as error:
        raise StageformerError(f"{path}: {error}") from None


def _sweep(name: str, description: str, found: Mapping[str, Any], root: Path) -> Sweep:
    for key in found:
        if key not in _KEYS:
            raise StageformerError(f"unknown key {key}{did_you_mean(str(key), _KEYS)}; allowed: {', '.join(_KEYS)}")
    recipe = found.get("recipe")
    seeds: Any = found.get("seeds")
    if not isinstance(recipe, str):
        raise StageformerError("recipe must be the name of a recipe, or of several with blanks between them")
    if not _is_list(seeds) or not all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds):
        raise StageformerError(f"seeds must be a list of whole numbers, found {show(seeds)}")
    if len(set(seeds)) < len(seeds):
        raise StageformerError(f"a seed is twice in {show(seeds)}")
    if ("axes" in found) == ("rows" in found):
        raise StageformerError("a sweep has either axes or rows")
    base = _changed(load_recipe(recipe, root / "recipes"), _mapping(found.get("set", {}), "set"), "set")
    changes = _product(_mapping(found["axes"], "axes")) if "axes" in found else _mapping(found["rows"], "rows")
    published = _published(_mapping(found.get("published", {}), "published"), changes)
    rows = []
    for row, change in changes.items():
        values = _changed(base, _mapping(change, f"row {row!r}"), f"row {row!r}")
        try:
            check(values)
        except StageformerError as error:
            raise StageformerError(f"row {row!r}: {error}") from None
        rows.append(SweepRow(str(row), values, published.get(str(row), {})))
    sweep = Sweep(name, description, rows, list(seeds))
    names = [run.name for run in sweep.runs]
    if doubled := next((one for one in names if names.count(one) > 1), None):
        raise StageformerError(f"two rows would both be the experiment {doubled!r}; give them other names")
    return sweep


def _product(axes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    for key, values in axes.items():
        if not _is_list(values):
            raise StageformerError(f"axes: {key} must be a list of values, found {show(values)}")
    names = [key.rpartition(".")[2] for key in axes]
    short = names if len(set(names)) == len(names) else list(axes)
    return {
        " ".join(f"{name}={show(value)}" for name, value in zip(short, values, strict=True)): dict(
            zip(axes, values, strict=True)
        )
        for values in itertools.product(*axes.values())
    }


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return parameters with some of them changed, by their dotted names."""
    result = copy.deepcopy(dict(values))
    known = dict(leaves(result))
    for key, value in changes.items():
        *groups, last = str(key).split(".")
        place: Any = result
        for group in groups:
            place = place.get(group) if isinstance(place, Mapping) else None
        if not isinstance(place, dict) or last not in place:
            raise StageformerError(f"{where}: unknown parameter {key}{did_you_mean(str(key), known)}")
        place[last] = copy.deepcopy(value)
    return result


def _published(found: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    for row, scores in found.items():
        if row not in rows:
            raise StageformerError(f"published: there is no row {row!r}{did_you_mean(str(row), map(str, rows))}")
        for name, value in _mapping(scores, f"published: {row}").items():
            if name not in PUBLISHED or isinstance(value, bool) or not isinstance(value, int | float):
                raise StageformerError(f"published: {row}: {name} is {value!r}; scores are {', '.join(PUBLISHED)}")
    return {str(row): dict(scores) for row, scores in found.items()}


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise StageformerError(f"{where} must be names with values, found {value!r}")
    return value


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0


def _slug(name: str) -> str:
    """Return a name as a part of the name of an experiment, which is one of git."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "row"


def _description(path: Path, content: bytes) -> str:
    line = content.decode(errors="replace").partition("\n")[0].strip()
    if not line.startswith("#") or not line.lstrip("# "):
        raise StageformerError(f"{path}, line 1: a sweep starts with a comment that describes it, found {line!r}")
    return line.lstrip("# ")
