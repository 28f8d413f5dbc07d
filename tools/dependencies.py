"""Write into ``dvc.yaml`` the code that each stage depends on: its script and all that it imports, file by file.

Files rather than folders, so that a change in a module reruns only the stages that import it, and DVC never hashes
``__pycache__``. The import closure is read from the syntax tree, without running anything: imports inside functions
count, those under ``if TYPE_CHECKING`` do not. An ``__init__.py`` that holds only its docstring is left out.

Example: ``python -m tools.dependencies`` (``--check`` only says whether ``dvc.yaml`` is up to date)
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

SOURCES = {"stages": "stages", "stageformer": "src/stageformer"}
"""Top-level package -> its folder, relative to the root."""

_RUN_TIME_IMPORTS = ("import_module", "__import__", "iter_modules")


def main() -> None:
    """Update ``dvc.yaml`` in the current folder, or with ``--check`` say whether it is up to date."""
    path = Path("dvc.yaml")
    before = path.read_text(encoding="utf-8")
    after = updated(before, Path())
    if before == after:
        print(f"{path}: the code dependencies are up to date")
    elif "--check" in sys.argv[1:]:
        sys.exit(f"error: {path}: the code dependencies are out of date; run `make deps`")
    else:
        path.write_text(after, encoding="utf-8")
        print(f"{path}: code dependencies updated")


def updated(text: str, root: Path) -> str:
    """Return the text of a ``dvc.yaml`` with the code dependencies of every stage whose script exists made exact."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 10_000
    yaml.preserve_quotes = True
    content = yaml.load(text)
    for name, stage in content["stages"].items():
        if (root / f"stages/{name}.py").exists():
            code = closure(f"stages.{name}", root)
            artifacts = [dep for dep in stage["deps"] if not dep.endswith(".py")]
            _replace(stage["deps"], [*code, *artifacts])
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def _replace(deps: CommentedSeq, values: list[str]) -> None:
    """Replace the items; comments stay with the artifacts, which are the last of them, before and after."""
    if values == list(deps):
        return
    moved = {index + len(values) - len(deps): comment for index, comment in deps.ca.items.items()}
    deps[:] = values
    deps.ca.items.clear()
    deps.ca.items.update(moved)


def closure(module: str, root: Path) -> list[str]:
    """Return the files, relative to ``root``, of a module and of all of ours that it imports; its own file first.

    Raises:
        ValueError: a module chooses at run time what it imports, so that the closure cannot be known.
    """
    start = _file(module, root)
    if start is None:
        raise ValueError(f"{module}: no such module")
    found: set[str] = set()
    waiting = [".".join(module.split(".")[:end]) for end in range(1, module.count(".") + 2)]
    while waiting:
        name = waiting.pop()
        file = _file(name, root)
        if file is None or file in found:
            continue
        tree = ast.parse((root / file).read_text(encoding="utf-8"), file)
        found.add(file)
        is_package = file.endswith("__init__.py")
        for imported in _imports(tree, name if is_package else name.rpartition(".")[0], file):
            parts = imported.split(".")
            waiting += [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    kept = {file for file in found if not _only_docstring(root / file)}
    return [start, *sorted(kept - {start})]


def _file(module: str, root: Path) -> str | None:
    top, *rest = module.split(".")
    if top not in SOURCES:
        return None
    base = "/".join([SOURCES[top], *rest])
    return next((file for file in (f"{base}.py", f"{base}/__init__.py") if (root / file).is_file()), None)


def _imports(node: ast.AST, package: str, file: str) -> Iterator[str]:
    """Yield every dotted name imported below ``node``; ``from a import b`` gives ``a.b``, which may be no module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_RUN_TIME_IMPORTS):
        if not node.args or not isinstance(node.args[0], ast.Constant):
            raise ValueError(f"{file}, line {node.lineno}: an import chosen at run time; name the modules instead")
        yield str(node.args[0].value)
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _imports(child, package, file)


def _only_docstring(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return path.name == "__init__.py" and all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) for statement in body
    )


if __name__ == "__main__":
    main()
