"""A stage that is run by hand over an older run leaves what it would in an empty folder, as under DVC."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pipeline.test_damaged_artifacts import run_stage
from tests.test_dvc_yaml import STAGES, outs, path_of

FOLDERS = {name: [path for out in outs(name) if not Path(path := path_of(out)).suffix] for name in STAGES}


def test_stages_with_folders_are_known() -> None:
    """Every other output is a file by a name that its stage always writes."""
    assert {name for name, folders in FOLDERS.items() if folders} == {
        "check", "tokenize", "vocab", "train_encoder", "encode", "train_decoder", "evaluate", "export",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name, folders in FOLDERS.items() if folders])
def test_nothing_of_an_older_run_stays_in_a_folder(repository, name: str) -> None:
    root: Path = repository.root
    stale = [root / folder / older for folder in FOLDERS[name] for older in ("older.pt", "older/text")]
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of an older run")
    before = {folder: sorted(contents(root / folder)) for folder in FOLDERS[name]}
    run = run_stage(root, name)
    assert run.returncode == 0, run.stderr
    kept = [path for path in stale if os.path.lexists(path)]
    assert kept == []
    for folder, older in before.items():
        assert sorted([*contents(root / folder), "older.pt", "older/text"]) == older


def contents(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
