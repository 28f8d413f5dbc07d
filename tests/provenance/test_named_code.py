"""Code that parameters name is found without being run; only the stages run it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import StageformerError
from stageformer.params.choices import find_function
from stageformer.params.groups import check
from stageformer.params.reading import read_yaml
from stageformer.provenance.named_code import named_code
from tests.families import values

RECIPE = Path(__file__).parents[2] / "recipes/default.yaml"
MODULE = """
open("it-ran", "w").close()
from json import dumps as written
LIMIT: int = 3
def cut(text):
    return text.split()
class Embedder:
    def embed_documents(self, texts): ...
try:
    import nothing_of_that_name as optional
except ImportError:
    optional = cut
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module that leaves a file when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "stranger.py").write_text(MODULE)
    (tmp_path / "package/inner").mkdir(parents=True)
    (tmp_path / "package/__init__.py").write_text(MODULE)
    (tmp_path / "package/inner/deep.py").write_text(MODULE)
    return tmp_path


def parameters(cutter: str | None = None, factory: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(RECIPE)
    if cutter is not None:
        found["tokenize"] = {"source": values("cut", cutter=cutter, language=None), "target": None}
        found["export"]["formats"] = []
    if factory is not None:
        found["embed"]["source"] = {
            "kind": "langchain", "project": "error", "revision": None, "factory": factory, "arguments": {},
            "batch_size": 1,
        }  # fmt: skip
    return found


@pytest.mark.parametrize(
    "name",
    ["stranger:cut", "stranger:written", "stranger:optional", "stranger:Embedder.embed_documents", "package:cut",
     "package.inner.deep:cut", "json:dumps", "math:sin", "nltk.tokenize:wordpunct_tokenize"],
)  # fmt: skip
def test_what_is_there_is_found_and_not_run(name: str, here: Path) -> None:
    before = set(sys.modules)
    place = find_function(name)
    assert not list(here.rglob("it-ran"))
    assert {"stranger", "package", "package.inner.deep"}.isdisjoint(sys.modules)
    assert set(sys.modules) - before <= {"nltk", "nltk.tokenize"} - before
    assert place.endswith(("py", ".so")) or place == "the module math"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stranger", "needed module:callable"), ("stranger:", "needed module:callable"),
        ("../stranger:cut", "needed module:callable"),
        ("stranger:cat", "there is no 'cat' in it (did you mean 'cut'?)"),
        ("strangers:cut", "the module strangers cannot be imported: there is none of that name"),
        ("stranger.cut:x", "the module stranger.cut cannot be imported: there is none of that name"),
        ("package.none:x", "the module package.none cannot be imported: there is none of that name"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(name: str, message: str, here: Path) -> None:
    with pytest.raises(StageformerError) as caught:
        find_function(name)
    assert message in str(caught.value)
    assert not list(here.rglob("it-ran"))


def test_a_module_that_is_no_python_is_refused(here: Path) -> None:
    for content in (b"def cut(", b"\xff", b"x = " + b"(" * 10_000):
        (here / "broken.py").write_bytes(content)
        with pytest.raises(StageformerError, match=r"^broken:cut: .*broken\.py is not readable as Python"):
            find_function("broken:cut")


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        (parameters(cutter="stranger:cut"), "tokenize.source.cutter: stranger:cut"),
        (parameters(factory="stranger:Embedder"), "embed.source.factory: stranger:Embedder"),
    ],
)
def test_the_command_check_runs_nothing_and_says_what_would_be_run(
    given: dict[str, Any], parameter: str, here: Path
) -> None:
    (here / "given.yaml").write_text(json.dumps(given))
    (line,) = named_code(check(given))
    stage = parameter.partition(".")[0]
    assert line == f"{parameter} is code, which the stage {stage} runs; it is in {here / 'stranger.py'}"
    result = CliRunner().invoke(main, ["check", "--params", "given.yaml"])
    assert (result.exit_code, result.stdout) == (0, "given.yaml: all parameters are known and allowed\n")
    assert line in result.stderr
    assert not list(here.rglob("it-ran"))


def test_the_stage_check_imports_what_the_stage_tokenize_will_run(here: Path) -> None:
    """`dvc repro` runs it in any case, and what cannot be imported should stop it before outputs are removed."""
    from stages.check import main as stage

    (here / "given.yaml").write_text(json.dumps(parameters(cutter="stranger:LIMIT")))
    result = CliRunner().invoke(stage, ["--params", "given.yaml"])
    assert result.exit_code == 2
    assert result.stderr.endswith("error: tokenize.source.cutter: stranger:LIMIT: found int, which cannot be called\n")
    sys.modules.pop("stranger", None)
