"""What the decorator of a stage script does around its function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from stageformer.errors import StageformerError
from stageformer.params.vocab import Vocab
from stages.common import stage

PARAMS = "vocab:\n  shared: true\n  min_frequency: 3\n  max_size:\n"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def recording() -> tuple[click.Command, list[tuple[tuple[Any, ...], dict[str, Path]]]]:
    calls: list[tuple[tuple[Any, ...], dict[str, Path]]] = []

    @stage("toy", {"vocab": Vocab, "vocab.min_frequency": Vocab}, ids="data/vocab", a_model="data/model.pt")
    def main(*params: Any, **paths: Path) -> None:
        calls.append((params, paths))

    return main, calls


def test_parameters_and_paths(root: Path) -> None:
    main, calls = recording()
    assert CliRunner().invoke(main, []).exit_code == 0
    ((params, paths),) = calls
    assert params == (Vocab(shared=True, min_frequency=3, max_size=None), 3)
    assert paths == {
        "ids": Path("data/vocab"), "a_model": Path("data/model.pt"), "output": Path("data/toy"),
        "reports": Path("reports/toy"),
    }  # fmt: skip
    (root / "mine.yaml").write_text(PARAMS.replace("3", "5"))
    options = ["--params", "mine.yaml", "--a-model", "m.pt", "--output", "out", "--reports", "told"]
    assert CliRunner().invoke(main, options).exit_code == 0
    params, paths = calls[1]
    assert params[1] == 5
    assert (paths["a_model"], paths["output"], paths["reports"]) == (Path("m.pt"), Path("out"), Path("told"))


def test_environment_and_cost_are_written_by_the_first_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main, _ = recording()
    CliRunner().invoke(main, [])
    assert {path.name for path in (root / "reports/toy").iterdir()} == {"environment.json", "cost.json"}
    assert json.loads((root / "reports/toy/cost.json").read_text())["seconds"] > 0
    monkeypatch.setenv("RANK", "1")
    CliRunner().invoke(main, ["--reports", "others"])
    assert not (root / "others").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PARAMS.replace("min_f", "mim_f"), "unknown key vocab.mim_frequency (did you mean 'min_frequency'?)"),
        ("vocap:\n  x: 1\n", "params.yaml: the group vocab is missing (did you mean 'vocap'?)"),
    ],
)
def test_a_mistake_in_the_parameters_is_one_line(root: Path, text: str, message: str) -> None:
    (root / "params.yaml").write_text(text)
    main, calls = recording()
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, calls) == (2, [])
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_mistake_in_the_input_is_one_line_and_leaves_no_report(root: Path) -> None:
    @stage("toy", {})
    def main(*, output: Path, reports: Path) -> None:
        raise StageformerError("a.txt: no such file")

    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stderr) == (2, "error: a.txt: no such file\n")
    assert not (root / "reports").exists()


def test_help_is_what_the_script_says_of_itself() -> None:
    main, _ = recording()
    printed = CliRunner().invoke(main, ["--help"]).stdout
    assert "What the decorator of a stage script does around its function." in printed
    assert "--a-model PATH" in printed
    assert "[default: data/model.pt]" in printed
