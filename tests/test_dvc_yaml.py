"""``dvc.yaml`` as code: what each stage declares is what its script reads, imports and writes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stageformer.params.groups import GROUPS
from tools.dependencies import closure, updated

ROOT = Path(__file__).parent.parent
CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
STAGES: dict[str, dict[str, Any]] = CONTENT["stages"]
FINAL = {"data/check/params.schema.json", "data/evaluate/translations.parquet", "data/export"}
BUILT_IN_TEMPLATES = {"simple", "linear", "bar_horizontal"}


def path_of(out: str | dict[str, Any]) -> str:
    return out if isinstance(out, str) else next(iter(out))


def options_of(out: str | dict[str, Any]) -> dict[str, Any]:
    return {} if isinstance(out, str) else dict(next(iter(out.values())))


def outs(stage: str) -> list[str | dict[str, Any]]:
    return [out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, [])]


def test_the_stages_are_the_design_s_in_order() -> None:
    assert list(STAGES) == [
        "check", "ingest", "tokenize", "vocab", "embed", "train_encoder", "encode", "train_decoder", "translate",
        "evaluate", "export",
    ]  # fmt: skip


def test_every_group_of_parameters_is_a_stage_s_or_the_machine_s() -> None:
    assert set(GROUPS) == set(STAGES) - {"check"} | {"compute"}


@pytest.mark.parametrize("name", STAGES)
def test_one_name_for_stage_script_outputs_reports_and_parameters(name: str) -> None:
    stage = STAGES[name]
    assert stage["desc"]
    assert stage["cmd"] == f"python -m stages.{name}"
    assert stage["deps"][0] == f"stages/{name}.py"
    assert (ROOT / f"stages/{name}.py").is_file()
    for out in outs(name):
        path = path_of(out)
        assert path.startswith((f"data/{name}/", f"reports/{name}/")) or path == f"data/{name}", path
    assert name in stage.get("params", [name])


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_the_import_closure(name: str) -> None:
    # If this fails, run `make deps`.
    assert [dep for dep in STAGES[name]["deps"] if dep.endswith(".py")] == closure(f"stages.{name}", ROOT)


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_files(name: str) -> None:
    for dep in STAGES[name]["deps"]:
        assert dep.startswith(("data/", "reports/")) or dep == "corpus" or (ROOT / dep).is_file(), dep


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check"])
def test_the_parameters_declared_are_those_read(name: str) -> None:
    tree = ast.parse((ROOT / f"stages/{name}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "read_group"]
    read = {ast.literal_eval(call.args[1]) for call in calls}
    assert read == {param.split(".")[0] for param in STAGES[name]["params"]}


def test_check_reads_the_whole_file_and_comes_before_all() -> None:
    assert "params.yaml" in STAGES["check"]["deps"]
    assert "data/check/passed.txt" in STAGES["ingest"]["deps"]
    for name in set(STAGES) - {"check", "ingest"}:
        assert any(dep.startswith("data/") and not dep.startswith(f"data/{name}") for dep in STAGES[name]["deps"]), name


def test_every_output_is_used_or_final() -> None:
    used = {dep for stage in STAGES.values() for dep in stage["deps"]}
    for name in STAGES:
        for out in map(path_of, outs(name)):
            assert out in used or out in FINAL or out.startswith("reports/"), out


def test_every_artifact_read_is_written_by_an_earlier_stage() -> None:
    written: set[str] = set()
    for name, stage in STAGES.items():
        for dep in stage["deps"]:
            assert not dep.startswith(("data/", "reports/")) or dep in written, f"{name}: {dep}"
        written |= set(map(path_of, outs(name)))


@pytest.mark.parametrize("name", STAGES)
def test_data_is_cached_reports_are_in_git_and_no_stage_always_runs(name: str) -> None:
    assert not STAGES[name].get("always_changed")
    assert not STAGES[name].get("frozen")
    for out in outs(name):
        path, options = path_of(out), options_of(out)
        if path.startswith("reports/"):
            assert options["cache"] is False, path
        elif name == "check":
            # A mistake in params.yaml must delete nothing, not even what this stage itself wrote before.
            assert options == {"persist": True}, path
        else:
            assert options == {}, path
    if name != "check":
        assert path_of(STAGES[name]["metrics"][0]) == f"reports/{name}/metrics.json"


@pytest.mark.parametrize("name", STAGES)
def test_the_run_cache_takes_every_stage(name: str) -> None:
    # DVC saves no run of a stage that has an output outside the cache which is neither a metric nor a plot.
    assert all(options_of(out).get("cache", True) for out in STAGES[name]["outs"])


def check_drawing(name: str, definition: dict[str, Any]) -> None:
    assert {"title", "x", "y", "x_label", "y_label"} <= definition.keys(), name
    template = definition.get("template", "simple")
    assert template in BUILT_IN_TEMPLATES or (ROOT / f".dvc/plots/{template}.json").is_file(), name


def test_plots_of_stages_are_drawn_from_named_columns() -> None:
    tables = [plot for name in STAGES for plot in STAGES[name].get("plots", []) if path_of(plot).endswith(".csv")]
    assert tables
    for plot in tables:
        check_drawing(path_of(plot), options_of(plot))


def test_plots_show_files_that_a_stage_writes() -> None:
    written = [path_of(out) for name in STAGES for out in outs(name)]
    assert CONTENT["plots"]
    for plot in CONTENT["plots"]:
        ((title, definition),) = plot.items()
        check_drawing(title, definition)
        for path in definition["y"]:
            assert any(path == out or path.startswith(f"{out}/") for out in written), path


def test_the_tool_leaves_an_exact_file_byte_for_byte() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert updated(text, ROOT) == text


@pytest.fixture
def code(tmp_path: Path) -> Path:
    files = {
        "stages/__init__.py": '"""Only a docstring."""\n',
        "stages/one.py": "import json\nfrom stageformer.top import name\nfrom stages.common import x\n",
        "stages/common.py": "",
        "src/stageformer/__init__.py": "",
        "src/stageformer/top.py": "from stageformer.package import member\nfrom . import sibling\n",
        "src/stageformer/sibling.py": "def f():\n    import stageformer.late\n",
        "src/stageformer/late.py": "if TYPE_CHECKING:\n    import stageformer.unused\n",
        "src/stageformer/unused.py": "",
        "src/stageformer/package/__init__.py": "VALUE = 1\n",
        "src/stageformer/package/member.py": "import importlib as i\ni.import_module('stageformer.named')\n",
        "src/stageformer/named.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_closure(code: Path) -> None:
    assert closure("stages.one", code) == [
        "stages/one.py",
        "src/stageformer/late.py",
        "src/stageformer/named.py",
        "src/stageformer/package/__init__.py",
        "src/stageformer/package/member.py",
        "src/stageformer/sibling.py",
        "src/stageformer/top.py",
        "stages/common.py",
    ]


def test_an_init_that_runs_code_is_a_dependency(code: Path) -> None:
    (code / "stages/__init__.py").write_text("import stageformer.unused\n")
    assert {"stages/__init__.py", "src/stageformer/unused.py"} <= set(closure("stages.one", code))


def test_an_import_chosen_at_run_time_is_refused(code: Path) -> None:
    (code / "stages/common.py").write_text("import importlib\ndef f(n):\n    return importlib.import_module(n)\n")
    with pytest.raises(ValueError) as caught:
        closure("stages.one", code)
    assert str(caught.value).startswith("stages/common.py, line 3: an import chosen at run time")


def test_the_tool_rewrites_code_and_keeps_artifacts_with_their_comments(code: Path) -> None:
    kept = ["      - data/z", "      # why a", "      - data/a # b", "    outs: [c]"]
    text = "# note\nstages:\n  one:\n    cmd: x\n    deps:\n      - stages/gone.py\n" + "\n".join(kept) + "\n"
    lines = updated(text, code).splitlines()
    assert lines[:5] == text.splitlines()[:5]
    assert lines[5:7] == ["      - stages/one.py", "      - src/stageformer/late.py"]
    assert "      - stages/gone.py" not in lines
    assert [" ".join(line.split()) for line in lines[-4:]] == [" ".join(line.split()) for line in kept]
