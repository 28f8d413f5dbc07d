"""``make verify`` on a repository of one stage, of the real pipeline's shape; the real one is in ``tests/pipeline``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from stageformer.experiments.status import Recorded
from stageformer.params.recipes import load_recipe
from tools.verify import Run, main, report

ROOT = Path(__file__).parents[2]
PIPELINE = """
stages:
  check:
    cmd: mkdir -p data/check/code && md5sum code.py | sed s,code.py,stages/one.py, > data/check/code/one.txt
    deps: [code.py]
    outs: [data/check/code]
  one:
    cmd: test ! -e "$STAGEFORMER_SCRATCH/checkpoint" && cat corpus/mine.txt ../beside/text.txt > text.txt &&
      cp code.py code.txt && mkdir -p reports/one && echo '{"cpu":"A"}' > reports/one/environment.json
    deps: [data/check/code/one.txt]
    params: [ingest]
    outs: [text.txt, code.txt]
"""


def git(root: Path, *arguments: str) -> None:
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=root, env=environment, capture_output=True, check=True)


def commit(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name.replace("__", "/")).write_text(text, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=A step")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a repository whose stage reads a file that git ignores and one outside of it; the current folder."""
    root = tmp_path / "above/a repository"
    files = {
        "dvc.yaml": PIPELINE,
        "params.yaml": "ingest:\n  files: [../beside/text.txt]\n  seed: 1\n",
        "code.py": "# code\n",
        ".gitignore": "/corpus/mine.txt\n/data\n/text.txt\n/code.txt\n/.cache\n",
        ".dvc/config": "",
        ".dvc/.gitignore": "/cache\n/tmp\n",
        "corpus/mine.txt": "mine\n",
        "corpus/README.md": "Mine.\n",
        "../beside/text.txt": "beside\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.name", "A User")
    git(root, "config", "user.email", "user@example.org")
    commit(root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def built(tiny: Path, dvc: Callable[..., Any]) -> Path:
    """The same after ``dvc repro``, committed."""
    run = dvc(tiny, "repro")
    assert run.returncode == 0, run.stderr
    commit(tiny)
    return tiny


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_from_nothing_with_the_files_of_the_user(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, settings = tmp_path / "temporary", tmp_path / "settings"
    temporary.mkdir()
    settings.mkdir()
    (settings / "config").write_text(f"[cache]\n    dir = {tmp_path / 'shared_cache'}\n")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(settings))
    (settings / "checkpoint").touch()
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(settings))
    result = verify()
    assert result.exit_code == 0, result.output
    assert result.stdout.count("  same\n") == 2
    assert result.stdout.endswith("\n\nverified: all 2 outputs are the same, to the bit\n")
    # Nothing is left behind, no checkpoint was seen, and DVC used no cache but the clone's own.
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "shared_cache").exists()


def test_a_wrong_hash_in_dvc_lock_is_found(built: Path, tmp_path: Path) -> None:
    yaml = YAML()
    lock = yaml.load(built / "dvc.lock")
    lock["stages"]["one"]["outs"][0]["md5"] = "0" * 32
    yaml.dump(lock, built / "dvc.lock")
    commit(built)
    result = verify("--keep", str(tmp_path / "kept"))
    assert result.exit_code == 1
    assert result.stdout.count("DIFFERENT\n") == 1
    assert result.stdout.endswith(
        "The environment is the same, as far as reports/*/environment.json shows.\n"
        "NOT the same: 1 of 2 outputs differ: code.txt\n"
    )
    (clone,) = (tmp_path / "kept").rglob("a repository")
    assert (clone / "text.txt").read_text() == "mine\nbeside\n"
    assert (clone / "../beside/text.txt").exists()
    again = verify("--keep", str(tmp_path / "kept"))
    assert (again.exit_code, again.stderr) == (2, f"error: {tmp_path / 'kept'}: not empty; name a new folder\n")


def test_what_is_not_committed_is_named(built: Path) -> None:
    (built / "code.py").write_text("# other code\n")
    result = verify()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("commit or restore what differs from HEAD: code.py\n")
    assert result.stderr.count("\n") == 1


def test_nothing_to_compare_with(tiny: Path) -> None:
    result = verify()
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is no dvc.lock to compare with; run `make repro`")


def test_a_stage_that_fails_is_one_line(built: Path) -> None:
    commit(built, **{"dvc.yaml": PIPELINE.replace("cp code.py", "cp gone.py")})
    result = verify()
    assert result.exit_code == 2
    assert result.stderr.startswith("error: `dvc repro` failed in the clone, exit code ")
    assert result.stderr.count("\n") == 1


def lock(**parameters: Any) -> dict[str, Any]:
    outs = [{"path": "data/one", "md5": "1" * 32, "size": 1000}]
    return {"one": {"params": {"params.yaml": parameters}, "deps": [], "outs": outs}}


@pytest.mark.parametrize(
    ("asked", "recipe_of_lock", "runs"), [("smoke", "smoke", 1), ("smoke", "default", 2), ("joint smoke", "smoke", 2)]
)
def test_a_recipe_that_dvc_lock_was_not_made_with_is_run_twice(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, asked: str, recipe_of_lock: str, runs: int
) -> None:
    def write_lock(folder: Path, recipe: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        YAML().dump({"stages": lock(**load_recipe(recipe, ROOT / "recipes"))}, folder / "dvc.lock")

    folders = []

    def rebuild(root: Path, folder: Path, recipe: str) -> Path:
        assert (root, recipe) == (tiny, asked)
        folders.append(folder)
        write_lock(folder, recipe)
        return folder

    shutil.copytree(ROOT / "recipes", tiny / "recipes")
    write_lock(tiny, recipe_of_lock)
    commit(tiny)
    monkeypatch.setattr("tools.verify.rebuild", rebuild)
    result = verify("--recipe", asked)
    assert result.exit_code == 0, result.output
    assert len(set(folders)) == runs
    assert ("first run" in result.stdout) == (runs == 2)
    wrong = verify("--recipe", "smok")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "did you mean 'smoke'?" in wrong.stderr


def manifest(hash_of_script: str, text: bool = True) -> dict[str, Recorded]:
    lines = f"{'5' * 32}  src/stageformer/errors.py\n{hash_of_script * 32}  stages/one.py\n"
    return {"one": Recorded(hash_of_script, lines if text else None)}


def test_reasons_are_reported() -> None:
    old = Run(lock(ingest={"seed": 1}), {"one": {"cpu": "A"}, "two": {"cpu": "A"}}, manifest("2"))
    changed = lock(ingest={"seed": 2})
    changed["one"]["outs"][0]["md5"] = "3" * 32
    changed["one"]["outs"].append({"path": "data/new", "md5": "4" * 32, "size": 7})
    lines, is_same = report(old, Run(changed, {"one": {"cpu": "B"}, "two": {"cpu": "B"}}, manifest("3")), "dvc.lock")
    assert not is_same
    assert lines[2:] == [
        "  one    data/one  1,000  11111111  33333333  DIFFERENT",
        "  one    data/new      7  -         44444444  DIFFERENT",
        "",
        "The parameters differ: ingest.seed: 1 -> 2",
        "The code differs: stages/one.py",
        "The environment differs: cpu: A -> B",
        "NOT the same: 2 of 2 outputs differ: data/one, data/new",
    ]
    unknown = Run(old.stages, {}, manifest("2", text=False))
    lines, _ = report(unknown, Run(changed, {"one": {"cpu": "B"}}, manifest("3")), "dvc.lock")
    assert lines[-3] == "The code differs: data/check/code/one.txt"
    assert lines[-2].startswith("What environment the expected outputs come from is not known")


def test_a_manifest_is_no_output() -> None:
    stages = lock()
    stages["one"]["outs"].append({"path": "data/check/code", "md5": "4" * 32, "size": 7})
    assert [path for _, path in Run(stages, {}, {}).outputs()] == ["data/one"]


def test_the_code_of_a_run_is_found_in_the_cache(built: Path) -> None:
    # As when `check` has run again since: the folder holds a newer manifest than that of the last run.
    before = Run.read(built).manifests["one"]
    (built / "data/check/code/one.txt").unlink()
    assert Run.read(built).manifests["one"] == before
    assert before.text is not None
    assert before.text.endswith("  stages/one.py\n")
    shutil.rmtree(built / ".dvc/cache")
    assert Run.read(built).manifests["one"] == Recorded(before.md5, None)
