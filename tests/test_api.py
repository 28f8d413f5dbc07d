"""The public names of the library: ``stageformer/__init__.py`` and ``docs/api.md``."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stageformer

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "src/stageformer"


def imports(path):
    """Every ``from MODULE import NAME`` of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_what_type_checkers_see_is_what_there_is():
    declared = {name: module for module, name in imports(LIBRARY / "__init__.py") if module.startswith("stageformer.")}
    assert sorted(declared) == stageformer.__all__
    for name, module in declared.items():
        assert getattr(stageformer, name) is getattr(sys.modules[module], name), name


@pytest.mark.parametrize("name", stageformer.__all__)
def test_the_page_shows_every_name(name):
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert re.search(rf"`{name}`|^from stageformer import .*\b{name}\b", page, re.MULTILINE)


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        stageformer.Nonsense  # noqa: B018
    assert set(dir(stageformer)) == {*stageformer.__all__, "__version__"}


def test_the_import_takes_no_time():
    code = "import sys; before = set(sys.modules); import stageformer; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in run.stdout.split()} <= {"stageformer"} | sys.stdlib_module_names


def test_the_library_itself_imports_from_its_modules():
    """So the manifests of the stages leave the public interface out: a new name in it reruns nothing."""
    users = [path for folder in ("src", "stages") for path in (ROOT / folder).rglob("*.py")]
    rooms = {path.stem for path in LIBRARY.iterdir()}
    found = [(path.name, *imported) for path in users for imported in imports(path)]
    assert [each for each in found if each[1] == "stageformer" and each[2] not in rooms] == []
