"""The stage ``check``: a misspelt parameter stops ``dvc repro`` before anything is deleted or run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from stages.check import main

ROOT = Path(__file__).parents[2]
Dvc = Callable[..., subprocess.CompletedProcess[str]]


def run_check(folder: Path, params: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--params", str(params), "--output", str(folder)])
    return result.exit_code, result.stderr


def test_the_output_does_not_depend_on_the_values(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    text = (ROOT / "recipes/default.yaml").read_text(encoding="utf-8")
    params.write_text(text)
    assert run_check(tmp_path / "one", params) == (0, "")
    params.write_text(text.replace("  beam_size: ", "  beam_size: 1"))
    assert run_check(tmp_path / "two", params) == (0, "")
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert {Path("params.schema.json"), Path("code/ingest.txt")} < one.keys()
    assert one == two


def test_the_manifest_of_a_stage_that_is_gone_goes(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/gone.txt").write_text("")
    assert run_check(tmp_path, ROOT / "recipes/default.yaml") == (0, "")
    assert not (tmp_path / "code/gone.txt").exists()
    assert (tmp_path / "code/train_decoder.txt").exists()


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text((ROOT / "recipes/default.yaml").read_text(encoding="utf-8").replace("beam_size:", "beam_sise:"))
    code, error = run_check(tmp_path / "check", params)
    assert code == 2
    line = 1 + next(n for n, text in enumerate(params.read_text().splitlines()) if text.startswith("  beam_sise:"))
    assert error == f"error: {params}, line {line}: unknown key translate.beam_sise (did you mean 'beam_size'?)\n"
    assert not (tmp_path / "check/code").exists()


@pytest.fixture
def repository(tmp_path: Path, dvc: Dvc) -> Path:
    """A repository with the real stage ``check``, and an ``ingest`` that only writes its outputs."""
    for name in ("stages", "src", "corpus"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    ingest = stages["ingest"]
    outs = [out for kind in ("outs", "metrics", "plots") for out in ingest[kind]]
    files = [out if isinstance(out, str) else next(iter(out)) for out in outs]
    ingest["cmd"] = "python -c " + '"' + (
        f"from pathlib import Path; [(Path(f).parent.mkdir(parents=True, exist_ok=True), "
        f"Path(f).write_text(f)) for f in {files}]"
    ) + '"'
    YAML().dump({"stages": {"check": stages["check"], "ingest": ingest}}, tmp_path / "dvc.yaml")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    return tmp_path


def outputs(root: Path) -> dict[str, bytes]:
    paths = [path for top in ("data", "reports") for path in (root / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_a_misspelt_key_deletes_and_runs_nothing(repository: Path, dvc: Dvc) -> None:
    first = dvc(repository, "repro")
    assert first.returncode == 0, first.stderr
    before = outputs(repository)
    assert {"data/check/code/ingest.txt", "data/ingest/train.parquet", "reports/ingest/metrics.json"} <= before.keys()
    params = repository / "params.yaml"
    good = params.read_text(encoding="utf-8")

    # In the group of the very stage that would run next, so that DVC takes that one for changed as well.
    params.write_text(good.replace("drop_equal:", "drop_eqal:"), encoding="utf-8")
    failed = dvc(repository, "repro")
    assert failed.returncode != 0
    assert ": unknown key ingest.drop_eqal (did you mean 'drop_equal'?)\n" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "'ingest'" not in failed.stdout
    assert outputs(repository) == before

    params.write_text(good, encoding="utf-8")
    again = dvc(repository, "repro")
    assert again.returncode == 0
    assert "Running stage" not in again.stdout
    assert outputs(repository) == before

    # A valid change of a parameter that no stage here reads runs `check`, and nothing because of it.
    params.write_text(good.replace("  beam_size: ", "  beam_size: 1"), encoding="utf-8")
    changed = dvc(repository, "repro")
    assert "Running stage 'check'" in changed.stdout
    assert "Running stage 'ingest'" not in changed.stdout


def test_a_python_without_the_dependencies_is_reported(repository: Path) -> None:
    # -S: no site-packages, as in a Python that the project was not installed into.
    run = subprocess.run(
        [sys.executable, "-S", "-m", "stages.check"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert "make setup" in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_stage_runs_the_library_beside_it(repository: Path) -> None:
    marked = repository / "src/stageformer/params/groups.py"
    marked.write_text(marked.read_text() + "\nprint('the copy')\n")
    run = subprocess.run(
        [sys.executable, "-m", "stages.check"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert run.stdout == "the copy\n"
