"""``dvc.yaml`` as code: what each stage declares is what its script reads, imports and writes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stageformer.params.groups import Parameters
from stageformer.provenance.code import stages

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
PIPELINE: dict[str, dict[str, Any]] = CONTENT["stages"]
HEADS: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(ROOT / "heads/dvc.yaml")["stages"]
STAGES = PIPELINE | HEADS
MANIFESTS = "data/check/code"
FINAL = {
    "data/check/params.schema.json", "data/ingest/labels", "data/embed/lookup.parquet", "data/embed/answers",
    "data/evaluate/translations.parquet", "data/export", "data/evaluate_head/predictions.parquet",
}  # fmt: skip
BUILT_IN_TEMPLATES = {"simple", "linear", "bar_horizontal"}


def path_of(out: str | dict[str, Any]) -> str:
    return out if isinstance(out, str) else next(iter(out))


def options_of(out: str | dict[str, Any]) -> dict[str, Any]:
    return {} if isinstance(out, str) else dict(next(iter(out.values())))


def outs(stage: str) -> list[str | dict[str, Any]]:
    return [out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, [])]


def test_the_stages_are_the_design_s_in_order() -> None:
    assert list(PIPELINE) == [
        "check", "ingest", "tokenize", "vocab", "embed", "train_encoder", "encode", "train_decoder", "translate",
        "evaluate", "export",
    ]  # fmt: skip
    assert list(HEADS) == ["train_head", "evaluate_head"]


def test_heads_run_in_the_root_and_the_pipeline_reads_nothing_of_theirs() -> None:
    assert all(stage["wdir"] == ".." for stage in HEADS.values())
    written = {path_of(out) for name in HEADS for out in outs(name)}
    assert written.isdisjoint(dep for stage in PIPELINE.values() for dep in stage["deps"])


def test_every_group_of_parameters_is_a_stage_s_or_the_trainings_or_the_machine_s() -> None:
    # No output depends on the loggers, so that no stage depends on their group.
    assert set(Parameters.model_fields) == set(PIPELINE) - {"check"} | {"model", "head", "compute", "logging"}
    assert [name for name, stage in STAGES.items() if "model" in stage.get("params", [])] == [
        "train_encoder", "train_decoder"
    ]  # fmt: skip
    assert not [name for stage in STAGES.values() for name in stage.get("params", []) if name.startswith("logging")]


@pytest.mark.parametrize("name", STAGES)
def test_one_name_for_stage_script_outputs_reports_and_parameters(name: str) -> None:
    stage = STAGES[name]
    assert stage["desc"]
    assert stage["cmd"] == f"python -m stages.{name}"
    assert (ROOT / f"stages/{name}.py").is_file()
    for out in outs(name):
        path = path_of(out)
        assert path.startswith((f"data/{name}/", f"reports/{name}/")) or path == f"data/{name}", path
    assert ("head" if name in HEADS else name) in stage.get("params", [name])


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(TEXT.splitlines()) <= 250
    assert ".py" not in TEXT.replace("stages/NAME.py", "")


def test_every_script_is_a_stage() -> None:
    assert stages(ROOT) == sorted(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_the_code_of_a_stage_is_its_one_manifest(name: str) -> None:
    others = [dep for dep in STAGES[name]["deps"] if not dep.startswith(("data/", "reports/")) and dep != "corpus"]
    manifests = [dep for dep in STAGES[name]["deps"] if dep.startswith("data/check/")]
    if name == "check":
        assert (others, manifests) == (["stages", "src/stageformer", "params.yaml"], [])
    else:
        assert (others, manifests) == ([], [f"{MANIFESTS}/{name}.txt"])


@pytest.mark.parametrize("name", STAGES)
def test_scripts_are_short_and_say_in_one_form_what_they_read_and_write(name: str) -> None:
    text = (ROOT / f"stages/{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    docstring = ast.get_docstring(ast.parse(text)) or ""
    sentence, _, rest = docstring.partition("\n\n")
    assert sentence.count(".") == 1 or name == "check"
    example, files = rest.rsplit("\n\n", 1)
    assert example.endswith(f"Example: ``python -m stages.{name}``")
    reads, writes = files.split("\nWrites: ")
    assert reads.startswith("Reads:  ")
    for folder in {"/".join(path_of(out).split("/")[:2]) for out in outs(name)}:
        assert f"{folder}/" in writes
    for dep in STAGES[name]["deps"]:
        if dep.startswith(("data/", "reports/")) and not dep.startswith(MANIFESTS):
            assert Path(dep).parts[1] in reads, dep


def decorator_of(name: str) -> ast.Call:
    """The call of ``stage(...)`` above the function of a script."""
    tree = ast.parse((ROOT / f"stages/{name}.py").read_text(encoding="utf-8"))
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    (call,) = function.decorator_list
    assert isinstance(call, ast.Call)
    assert ast.literal_eval(call.args[0]) == name
    return call


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check"])
def test_the_parameters_declared_are_those_read(name: str) -> None:
    read = decorator_of(name).args[1]
    assert isinstance(read, ast.Dict)
    assert {ast.literal_eval(key) for key in read.keys if key} == set(STAGES[name]["params"])


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check"])
def test_the_inputs_declared_are_those_of_the_script(name: str) -> None:
    paths = {Path(ast.literal_eval(keyword.value)) for keyword in decorator_of(name).keywords} - {Path(".cache")}
    deps = {Path(dep) for dep in STAGES[name]["deps"] if not dep.startswith(MANIFESTS) and dep != "corpus"}
    for dep in deps:
        assert any(dep.is_relative_to(path) for path in paths), dep
    for path in paths:
        assert any(dep.is_relative_to(path) for dep in deps), path


def test_every_output_is_used_or_final() -> None:
    used = {dep for stage in STAGES.values() for dep in stage["deps"]} | {MANIFESTS}
    for name in STAGES:
        for out in map(path_of, outs(name)):
            assert out in used or out in FINAL or out.startswith("reports/"), out


def test_every_artifact_read_is_written_by_an_earlier_stage() -> None:
    written: set[str] = set()
    for name, stage in STAGES.items():
        for dep in stage["deps"]:
            path = MANIFESTS if dep == f"{MANIFESTS}/{name}.txt" else dep
            assert not path.startswith(("data/", "reports/")) or path in written, f"{name}: {dep}"
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
        elif name in HEADS:
            # A clone in which no head has run has nothing to bring back: `dvc checkout` would fail in it.
            assert options == {"cache": False}, path
        else:
            assert options == {}, path
    if name != "check":
        assert path_of(STAGES[name]["metrics"][0]) == f"reports/{name}/metrics.json"


@pytest.mark.parametrize("name", PIPELINE)
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


def test_artifacts_are_outputs_and_described() -> None:
    written = {path_of(out) for name in STAGES for out in outs(name)}
    assert CONTENT["artifacts"].keys() == {"model", "encoder", "exports"}
    for name, artifact in CONTENT["artifacts"].items():
        assert artifact["path"] in written, name
        assert artifact["type"] == "model"
        assert artifact["desc"]
        assert artifact["labels"]


def test_plots_show_files_that_a_stage_writes() -> None:
    written = [path_of(out) for name in STAGES for out in outs(name)]
    assert CONTENT["plots"]
    for plot in CONTENT["plots"]:
        ((title, definition),) = plot.items()
        check_drawing(title, definition)
        for path in definition["y"]:
            assert any(path == out or path.startswith(f"{out}/") for out in written), path
