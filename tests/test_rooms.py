"""The rooms of the library and their floors (docs/architecture.md): a room imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "src" / "stageformer"

FLOORS = (
    {"errors", "kernels"},
    {"artifacts", "model"},
    {"console", "params"},
    {"compute"},
    {"provenance", "scoring", "text", "vectors"},
    {"batching", "building", "corpus", "experiments"},
    {"memory", "planning"},
    {"decoding", "probing", "training"},
    {"heads", "translator"},
    {"export", "figures"},
    {"report", "terminal", "walk"},
    {"commands"},
    {"cli"},
)
"""From the ground up."""

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def _arrows() -> dict[tuple[str, str], list[str]]:
    """Every pair of rooms of which one imports the other, with the files that do so. Type-only imports count, too."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        room = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                top_level = node.module == "stageformer"
                modules = [f"stageformer.{alias.name}" for alias in node.names] if top_level else [node.module]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                top, _, rest = module.partition(".")
                if top == "stageformer" and rest and rest.split(".")[0] != room and room != "__init__":
                    arrows.setdefault((room, rest.split(".")[0]), []).append(str(path.relative_to(ROOT)))
    return arrows


def test_every_module_is_in_a_room() -> None:
    loose = {path.name for path in LIBRARY.glob("*.py")}
    assert loose == {"__init__.py", "cli.py", "errors.py"}
    rooms = {path.name for path in LIBRARY.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms == FLOOR_OF.keys() - {"cli", "errors"}


@pytest.mark.parametrize("room", sorted(FLOOR_OF))
def test_a_room_imports_only_from_floors_below(room: str) -> None:
    upward = {
        target: files
        for (origin, target), files in _arrows().items()
        if origin == room and FLOOR_OF[target] >= FLOOR_OF[room]
    }
    assert upward == {}
