"""What differs from the last commit, in a repository of git and DVC."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stageformer.experiments.comparison import compare
from stageformer.experiments.contents import changes_since_commit
from stageformer.experiments.experiment import Experiment
from stageformer.terminal.comparison_text import comparison_text
from tests.experiments.test_comparison import write

COMMITTED = "train_decoder: {num_layers: 1, dropout: 0.1}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed run; num_layers differs in the workspace, dropout in the tag ``tried``, which is not HEAD."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc_site_cache"))
    root: Path = write(tmp_path / "repository", 0.1, 1)

    def git(*arguments: str) -> None:
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=root, env=environment, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "A User")
    git("config", "user.email", "user@example.org")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    for text, tag in ((COMMITTED.replace("0.1", "0.2"), "tried"), (COMMITTED, "committed")):
        (root / "params.yaml").write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message=A step")
        git("tag", tag)
    (root / "params.yaml").write_text(COMMITTED.replace("1, ", "2, "))
    return root


def test_the_workspace_differs_from_head_and_a_revision_is_not_asked(repository: Path) -> None:
    changes = changes_since_commit(Experiment.open("workspace", repository))
    assert [str(change) for change in changes or ()] == ["train_decoder.num_layers: 1 -> 2"]
    assert changes_since_commit(Experiment.open("tried", repository)) is None


def test_a_folder_without_a_commit_differs_from_none(repository: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(repository, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", ".dvc"))
    assert changes_since_commit(Experiment.open("workspace", copy)) is None


def test_a_comparison_names_what_was_changed_since_head(repository: Path) -> None:
    """Compared with HEAD, the one list says it; compared with anything else, a second list does."""

    def head(first: str) -> str:
        opened = [Experiment.open(spec, repository) for spec in (first, "workspace")]
        return re.split(r"\n\n +A ", comparison_text(compare(*opened, num_changed=0)))[0]

    layers = "  train_decoder.num_layers: 1 -> 2"
    start = "60 translations are the same\n\nParameters that differ, A -> B:\n"
    assert head("HEAD").endswith(f"{start}{layers}")
    assert head("tried").endswith(
        f"{start}{layers}\n  train_decoder.dropout: 0.2 -> 0.1\n\n"
        f"What B differs in from the last commit (HEAD):\n{layers}"
    )
    (repository / "params.yaml").write_text(COMMITTED)
    assert head("HEAD").endswith("60 translations are the same\n\nParameters that differ, A -> B: none")
