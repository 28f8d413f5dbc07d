"""The teaching API: the parts of the paper by name, and nothing paid for what is not used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stageformer.model

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", stageformer.model.__all__)
def test_every_name_is_that_of_its_module(name: str) -> None:
    found = getattr(stageformer.model, name)
    assert found.__name__ == name
    assert found.__module__.startswith("stageformer.model.")


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Encodr'"):
        _ = stageformer.model.Encodr  # type: ignore[attr-defined]
    assert set(dir(stageformer.model)) == set(stageformer.model.__all__)


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("stageformer.model.config", "torch"),
        ("from stageformer.model import StackConfig", "torch"),
        ("from stageformer.model import Transformer, SelfAttention", "numpy pandas pyarrow click dvc torch._dynamo"),
    ],
)
def test_what_is_not_used_is_not_imported(imported: str, absent: str) -> None:
    statement = imported if imported.startswith("from") else f"import {imported}"
    script = f"import sys; {statement}; print(*[name for name in {absent.split()!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    with_torch_alone = subprocess.run(
        [sys.executable, "-c", script.replace(statement, "import torch" if "torch" not in absent.split() else "pass")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded <= set(with_torch_alone.stdout.split())


def test_the_library_imports_from_the_modules_themselves() -> None:
    """The code that a stage depends on is read from its imports, which ``from stageformer.model import ...`` hides."""
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "stageformer.model"), path


def test_the_model_is_read_in_one_sitting() -> None:
    files = (ROOT / "src/stageformer/model").glob("*.py")
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 600
