"""Modules that a parameter chooses: a kind is one file of its package, found by its name and imported only when chosen.

A package of kinds holds one module for each kind, with the name that the parameter has. What the kinds share is in
``base.py``, in modules whose names begin with an underscore, or outside of the package.

This is the only place that imports a module by a name known at run time: the manifests of the stages
(``provenance/code.py``) follow :func:`chosen`, and refuse every other such import. What :func:`function_at` imports is
not ours, and in no manifest.
"""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from stageformer.errors import StageformerError, did_you_mean


def chosen(package: str, kind: str) -> ModuleType:
    """Import the module of one kind.

    Args:
        package: dotted name of the package of kinds, such as ``"stageformer.text.tokenizers"``. Written as a constant
            where the function is called, and listed in ``CHOICES`` of ``provenance/code.py`` with the parameters that
            choose from it.
        kind: name of the kind, which is the name of its module.

    Raises:
        StageformerError: there is no such kind; the message names the nearest.
    """
    names = kinds(package)
    if kind not in names:
        raise StageformerError(
            f"unknown kind {kind!r} of {package.rpartition('.')[2]}{did_you_mean(kind, names)}; "
            f"known: {', '.join(names)}"
        )
    return importlib.import_module(f"{package}.{kind}")


def implementation(module: ModuleType, interface: type) -> Any:
    """Return the class of a module that implements an interface: its only one.

    Args:
        module: what :func:`chosen` imported.
        interface: the base class, which is in ``base.py`` of the package.
    """
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, interface) and value.__module__ == module.__name__
    )
    return found


def kinds(package: str) -> list[str]:
    """Return the names of all kinds that a package holds, sorted, without importing them."""
    folders = importlib.import_module(package).__path__
    names = sorted(module.name for module in pkgutil.iter_modules(folders))
    return [name for name in names if name != "base" and not name.startswith("_")]


def function_at(name: str) -> Callable[..., Any]:
    """Import a function of the user's, from an installed package or from a module in the current folder.

    Args:
        name: ``module:callable``; the part behind the colon may have dots.

    Raises:
        StageformerError: the name has another form, there is no such module, or nothing in it that can be called.
    """
    module_name, attribute = _parted(name)
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # importing runs code of others
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StageformerError(f"{name}: the module {module_name} cannot be imported ({reason})") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise StageformerError(f"{name}: there is no {part!r} in it{did_you_mean(part, dir(found))}")
        found = getattr(found, part)
    if not callable(found):
        raise StageformerError(f"{name}: found {type(found).__name__}, which cannot be called")
    function: Callable[..., Any] = found
    return function


def find_function(name: str) -> str:
    """Look for what :func:`function_at` would import, and run nothing: parameters of others may only be checked.

    The module is found by its files, and the function by the syntax of the module, if that is in Python.

    Returns:
        Where the module is: its file, or its name if it has none.

    Raises:
        StageformerError: the name has another form, there is no such module, or the module binds no such name.
    """
    module_name, attribute = _parted(name)
    folders: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = module_name.split(".")
    for end in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:end]), folders)
        inside = None if spec is None else spec.submodule_search_locations
        folders = None if inside is None else [*inside]
        if spec is None or (folders is None and end < len(parts)):
            raise StageformerError(f"{name}: the module {module_name} cannot be imported: there is none of that name")
    assert spec is not None
    if spec.origin is None or not spec.origin.endswith(".py"):
        return spec.origin if spec.origin and Path(spec.origin).is_file() else f"the module {module_name}"
    names = _bound_names(name, Path(spec.origin))
    first = attribute.partition(".")[0]
    if names is not None and first not in names:
        raise StageformerError(f"{name}: there is no {first!r} in it{did_you_mean(first, names)}")
    return spec.origin


def _parted(name: str) -> tuple[str, str]:
    """Return module and callable, and let modules of the current folder be found, after those that are installed."""
    module_name, colon, attribute = name.partition(":")
    if not (colon and attribute and all(part.isidentifier() for part in module_name.split("."))):
        raise StageformerError(f"{name!r} names no function; needed module:callable, such as `my_words:cut`")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    return module_name, attribute


def _spec(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    """Find a module as an import does, but without the import of the packages above it.

    Args:
        name: of the module, with dots.
        folders: of the package above it; None: there is none.
    """
    finders: list[Any] = [*sys.meta_path] if folders is None else [*map(pkgutil.get_importer, folders)]
    for finder in finders:
        spec: ModuleSpec | None = finder.find_spec(name, None) if finder is not None else None
        if spec is not None:
            return spec
    return None


def _bound_names(name: str, path: Path) -> set[str] | None:
    """Return the names that a module may bind, as its syntax says; None: it may bind any."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StageformerError(f"{name}: {path} is not readable as Python ({reason})") from None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    anything = {"*", "__getattr__"} & names or any(
        isinstance(node, ast.Name) and node.id in ("globals", "setattr", "exec") for node in ast.walk(tree)
    )
    return None if anything else names
