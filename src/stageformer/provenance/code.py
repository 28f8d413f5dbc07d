"""The code that a stage runs, and its manifest: a line ``md5  path`` for each file of ours that its script can import.

The stage ``check`` writes the manifests, and each other stage depends on its own. So a change in a module reruns the
stages that import it and no others, and ``dvc.yaml`` lists no code. The import closure is read from the syntax tree,
without running anything: imports inside functions count, those under ``if TYPE_CHECKING`` do not. An ``__init__.py``
that only documents, or only offers names to users of the library (``__getattr__``, PEP 562), is left out; our own code
must not import those names. Of the kinds that a parameter chooses among (``params/choices.py``), only the chosen ones
are in a manifest.

No stage but ``check`` imports this module.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from stageformer.artifacts.files import atomic_file, atomic_folder
from stageformer.errors import StageformerError

SOURCES = {"stages": "stages", "stageformer": "src/stageformer"}
"""Top-level package -> its folder, relative to the root."""

CHOICES: dict[str, tuple[str, ...]] = {
    "stageformer.text.tokenizers": ("tokenize.source.kind", "tokenize.target.kind"),
    "stageformer.text.cutters": ("tokenize.source.cutter?", "tokenize.target.cutter?"),
    "stageformer.corpus.sources": ("ingest.source",),
    "stageformer.vectors": ("embed.source.kind", "train_encoder.service.kind"),
    "stageformer.export.formats": ("export.formats",),
    "stageformer.memory.sources": ("train_encoder.objective",),
    "stageformer.training.tasks": ("train_encoder.objective",),
    "stageformer.training.loggers": (),
}
"""Package of kinds -> the parameters that choose from it. ``*`` means every key; of a list, every item counts; a
parameter with ``?`` belongs to some kinds of its group alone. Of a
package without any, no output depends on what is chosen, and no kind is in a manifest."""

FOLDER = "data/check/code"
"""Where ``check`` writes the manifests, relative to the root."""

_LITERALS = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.expr_context)
_FUNCTION = "chosen"
_LISTING = "kinds"
_FUNCTION_FILE = "src/stageformer/params/choices.py"
_RUN_TIME_IMPORTS = ("import_module", "__import__", "iter_modules", "resolve_name")


def manifests(root: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the manifest of every stage but ``check``, by the name of the stage.

    Args:
        root: folder that holds ``stages/`` and ``src/``.
        values: the content of ``params.yaml``, already checked.

    Raises:
        StageformerError: a file is not valid Python, or imports a module by a name that is known only at run time.
    """
    code = Code(root, values)
    return {name: code.manifest(f"stages.{name}") for name in stages(root) if name != "check"}


def write_manifests(root: Path, values: Mapping[str, Any], folder: Path) -> None:
    """Replace ``folder`` by one with the manifests, each as ``STAGE.txt``.

    Raises:
        StageformerError: as :func:`manifests`; nothing is written then.
    """
    texts = {f"{stage}.txt": text for stage, text in manifests(root, values).items()}
    with atomic_folder(folder, ("*.txt",)) as new:
        for name, text in texts.items():
            with atomic_file(new / name) as file:
                file.write(text.encode())


def read_manifest(text: str) -> dict[str, str]:
    """Return the md5 of each file in a manifest, by its path."""
    return {path: md5 for md5, path in (line.split("  ", 1) for line in text.splitlines())}


def stages(root: Path) -> list[str]:
    """Return the names of the stages, sorted: the modules in ``stages/`` that can be run as scripts."""
    found = []
    for path in sorted((root / SOURCES["stages"]).glob("*.py")):
        if any(_is_main_guard(statement) for statement in _parse(path.read_bytes(), f"stages/{path.name}").body):
            found.append(path.stem)
    return found


@dataclass(frozen=True)
class _File:
    """What one file contributes to a closure."""

    md5: str
    imports: tuple[tuple[str, int], ...]
    """Dotted names and the lines where they are; ``from a import b`` gives ``a.b``, which may be no module."""
    is_idle: bool
    """An ``__init__.py`` on which no result depends."""
    is_lazy: bool
    """An ``__init__.py`` that imports names when they are used."""


class Code:
    """The code below a root, with the kinds that the parameters choose. Each file is read once.

    Args:
        root: folder that holds ``stages/`` and ``src/``.
        values: the content of ``params.yaml``.
    """

    def __init__(self, root: Path, values: Mapping[str, Any]) -> None:
        self._root = root
        self._values = values
        self._files: dict[str, _File] = {}

    def manifest(self, module: str) -> str:
        """Return the manifest of a module: a line for each file of its closure, sorted by path, as ``md5sum`` does.

        Raises:
            StageformerError: as :meth:`closure`.
        """
        return "".join(f"{self._files[path].md5}  {path}\n" for path in sorted(self.closure(module)))

    def closure(self, module: str) -> list[str]:
        """Return the files, relative to the root, of a module and of all of ours that it can import, its own first.

        Raises:
            StageformerError: there is no such module, a file is not valid Python, or it imports a module by a name
                that is known only at run time, other than by :func:`stageformer.params.choices.chosen`.
        """
        start = self._path(module)
        if start is None:
            raise StageformerError(f"{module}: no such module")
        found: set[str] = set()
        waiting = list(_with_parents(module))
        while waiting:
            name = waiting.pop()
            path = self._path(name)
            if path is None or path in found:
                continue
            found.add(path)
            for imported, line in self._read(path, name).imports:
                self._refuse_lazy(imported, path, line)
                waiting += _with_parents(imported)
        kept = {path for path in found if not self._files[path].is_idle}
        return [start, *sorted(kept - {start})]

    def _path(self, module: str) -> str | None:
        top, *rest = module.split(".")
        if top not in SOURCES:
            return None
        base = "/".join([SOURCES[top], *rest])
        return next((path for path in (f"{base}.py", f"{base}/__init__.py") if (self._root / path).is_file()), None)

    def _read(self, path: str, module: str) -> _File:
        if path not in self._files:
            content = (self._root / path).read_bytes()
            tree = _parse(content, path)
            is_package = path.endswith("__init__.py")
            is_lazy = is_package and any(map(_is_lazy, tree.body))
            self._files[path] = _File(
                md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
                imports=tuple(self._imports(tree, module if is_package else module.rpartition(".")[0], path)),
                is_idle=is_package and all(map(_only_offers if is_lazy else _is_text, tree.body)),
                is_lazy=is_lazy,
            )
        return self._files[path]

    def _refuse_lazy(self, imported: str, path: str, line: int) -> None:
        """Raise StageformerError if ``from a import b`` makes the package ``a`` import ``b`` at run time."""
        package, _, name = imported.rpartition(".")
        home = self._path(package) if package else None
        if home is not None and self._path(imported) is None and self._read(home, package).is_lazy:
            raise StageformerError(
                f"{path}, line {line}: {package} offers {name} to users of the library; "
                f"import it from the module that defines it"
            )

    def _imports(self, tree: ast.AST, package: str, path: str) -> Iterator[tuple[str, int]]:
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = package.split(".")
                    base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
                if any(alias.name == _FUNCTION and alias.asname not in (None, _FUNCTION) for alias in node.names):
                    raise StageformerError(f"{path}, line {node.lineno}: {_FUNCTION} must keep its name")
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
            elif isinstance(node, ast.Call):
                yield from ((module, node.lineno) for module in self._imports_of_call(node, path))
            if _is_type_checking(node):
                waiting += node.orelse
            elif not (_is_lazy(node) and path.endswith("__init__.py")):
                waiting += ast.iter_child_nodes(node)

    def _imports_of_call(self, call: ast.Call, path: str) -> Iterator[str]:
        function = call.func
        name = getattr(function, "id", getattr(function, "attr", ""))
        if name == _LISTING and str(_constant(call)).split(".")[0] in SOURCES:
            yield str(_constant(call))
        elif name == _FUNCTION:
            package = _constant(call)
            if package is None:
                raise StageformerError(f"{path}, line {call.lineno}: {name}() needs the package written as a constant")
            if package not in CHOICES:
                raise StageformerError(
                    f"{path}, line {call.lineno}: which parameters choose from {package}? "
                    f"Add it to CHOICES in src/stageformer/provenance/code.py"
                )
            yield package
            yield from (f"{package}.{kind}" for kind in self._chosen(package))
        elif name in _RUN_TIME_IMPORTS and path != _FUNCTION_FILE:
            module = _constant(call)
            if module is None:
                raise StageformerError(
                    f"{path}, line {call.lineno}: a module is imported by a name that is known only at run time; "
                    f"use stageformer.params.choices.{_FUNCTION}"
                )
            yield module

    def _chosen(self, package: str) -> Iterator[str]:
        for parameter in CHOICES[package]:
            yield from chosen_values(self._values, parameter)


def chosen_values(values: Mapping[str, Any], parameter: str) -> Iterator[str]:
    """Yield the kinds that a parameter chooses; one that has no module of its own, too.

    Args:
        values: the content of ``params.yaml``.
        parameter: as :data:`CHOICES` names it.

    Raises:
        StageformerError: there is no such parameter.
    """
    for value in _values(values, parameter.split("."), parameter):
        yield from map(str, value if isinstance(value, list) else [] if value is None else [value])


def _values(values: Any, keys: list[str], parameter: str) -> Iterator[Any]:
    if not keys:
        yield values
    elif values is None:  # a group that is not there chooses nothing
        return
    elif keys[0].endswith("?"):
        yield from _values(values.get(keys[0][:-1]), keys[1:], parameter)
    elif not isinstance(values, Mapping) or (keys[0] != "*" and keys[0] not in values):
        raise StageformerError(f"params: there is no {parameter}, which CHOICES in provenance/code.py names")
    else:
        for key in values if keys[0] == "*" else [keys[0]]:
            yield from _values(values[key], keys[1:], parameter)


def _with_parents(module: str) -> Iterable[str]:
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _parse(content: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(content, path)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise StageformerError(f"{path}{line}: not valid Python ({getattr(error, 'msg', error)})") from None


def _constant(call: ast.Call) -> str | None:
    """Return the first argument of a call if it is a text written in the code."""
    argument = call.args[0] if call.args else None
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _only_offers(statement: ast.stmt) -> bool:
    """Say whether a statement of an ``__init__.py`` that imports names when they are used has no other effect."""
    match statement:
        case ast.Import(names=[alias]):
            return alias.name.split(".")[0] in sys.stdlib_module_names
        case ast.ImportFrom(module=str(module), level=0):
            return module.split(".")[0] in sys.stdlib_module_names
        case ast.Assign(value=value):
            return all(isinstance(node, _LITERALS) for node in ast.walk(value))
        case ast.AnnAssign(value=None):
            return True
        case ast.FunctionDef(name=name):
            return name in ("__getattr__", "__dir__")
        case _:
            return _is_text(statement) or _is_type_checking(statement)


def _is_lazy(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__getattr__"


def _is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"
