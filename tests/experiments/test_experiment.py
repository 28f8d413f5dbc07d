"""Experiments read where they are, in a real repository of git and DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stageformer.errors import StageformerError
from stageformer.experiments.experiment import Experiment

PIPELINE = """\
stages:
  evaluate:
    cmd: for path in data/evaluate/text data/encode/a reports/m; do mkdir -p $(dirname $path) && cp text $path; done
    deps: [text]
    outs: [data/evaluate/text, data/encode]
    metrics:
      - reports/m:
          cache: false
"""


@pytest.fixture(scope="module", autouse=True)
def site_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("dvc_site_cache")))
        yield


@pytest.fixture(scope="module")
def repository(tmp_path_factory, dvc):
    """One commit, one experiment on it, and a workspace that is neither."""
    root = tmp_path_factory.mktemp("experiments") / "a repository"
    root.mkdir()

    def git(*arguments):
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=root, env=environment, check=True, capture_output=True)

    def run_dvc(*arguments):
        run = dvc(root, *arguments)
        assert run.returncode == 0, run.stdout + run.stderr

    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "A User")
    git("config", "user.email", "user@example.org")
    # What `dvc init` makes, in less time.
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "text").write_text("committed")
    run_dvc("repro", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=One")
    git("tag", "v1")
    (root / "text").write_text("tried")
    run_dvc("exp", "run", "--quiet", "--name", "a-trial")
    for path in ("text", "reports/m", "data/evaluate/text", "data/encode/a"):
        (root / path).unlink()
        (root / path).write_text("in the workspace")
    return root


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("HEAD", b"committed"),
        ("main", b"committed"),
        ("v1", b"committed"),
        ("a-trial", b"tried"),
        ("workspace", b"in the workspace"),
        (".", b"in the workspace"),
    ],
)
def test_files_of_git_and_of_the_cache(repository, spec, text):
    experiment = Experiment.open(spec, repository)
    assert experiment.name == spec
    for path in ("text", "reports/m", "data/evaluate/text", "data/encode/a"):
        assert experiment.read_bytes(path) == text, path
    assert experiment.read_bytes("dvc.yaml") == PIPELINE.encode()
    assert experiment.read_bytes("data/none") is None
    assert experiment.read_bytes("text/none") is None
    assert experiment.list("reports") == ["reports/m"]
    assert {"data/encode/a", "data/evaluate/text"} <= set(experiment.list("data"))
    assert experiment.list("none") == []


def test_another_copy_is_read_as_it_is(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", ".dvc"))
    (copy / "text").write_text("elsewhere")
    for spec in (str(copy), os.path.relpath(copy, repository)):
        experiment = Experiment.open(spec, repository)
        assert (experiment.name, experiment.read_bytes("text")) == (spec, b"elsewhere")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a-trail", r"'a-trail' is not a git revision, .*\(did you mean 'a-trial'\?\)"),
        ("mian", r"\(did you mean 'main'\?\)"),
        ("workspac", r"\(did you mean 'workspace'\?\)"),
        ("HEAD~7", r"'HEAD~7' is not a git revision, DVC experiment or folder; `dvc exp list"),
        ("HEAD:params.yaml", r"'HEAD:params.yaml' is not a git revision, DVC experiment or folder; `dvc exp list"),
        ("HEAD^{tree}", r"is not a git revision, DVC experiment or folder; `dvc exp list"),
        ("data", "data: this folder holds no dvc.yaml"),
        ("", "name of an experiment is empty"),
    ],
)
def test_what_there_is_not(repository, spec, message):
    with pytest.raises(StageformerError, match=message):
        Experiment.open(spec, repository)


def test_without_git_and_dvc_folders_can_be_read(repository, tmp_path):
    assert Experiment.open(str(repository), tmp_path).read_bytes("text") == b"in the workspace"
    with pytest.raises(StageformerError, match="'HEAD' is not a git revision"):
        Experiment.open("HEAD", tmp_path)


def test_an_output_that_is_not_in_the_cache(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy")
    shutil.rmtree(copy / ".dvc/cache")
    experiment = Experiment.open("a-trial", copy)
    assert experiment.read_bytes("reports/m") == b"tried"
    missing = r"^a-trial: the content of data/evaluate/text is not in DVC's cache, "
    with pytest.raises(StageformerError, match=missing + "and no remote is configured to fetch it from; run that"):
        experiment.read_bytes("data/evaluate/text")


def test_an_output_that_the_remote_lacks_and_then_has(repository, tmp_path, dvc):
    copy = shutil.copytree(repository, tmp_path / "copy")
    config = "[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"
    (copy / ".dvc/config").write_text(config)
    cache = shutil.move(copy / ".dvc/cache", tmp_path / "cache")
    with pytest.raises(StageformerError, match=r"is not in DVC's cache, nor does the remote store give it \("):
        Experiment.open("main", copy).read_bytes("data/evaluate/text")
    shutil.copytree(Path(cache) / "files", tmp_path / "store/files")
    assert Experiment.open("main", copy).read_bytes("data/evaluate/text") == b"committed"


def test_how_to_get_what_is_missing_in_the_workspace(repository, tmp_path):
    copy = shutil.copytree(repository, tmp_path / "copy")
    shutil.rmtree(copy / "data")
    workspace = Experiment.open("workspace", copy)
    for path, message in (
        ("data/evaluate/text", "`dvc repro` makes it, or takes it from DVC's cache; no remote is configured"),
        ("data/other", "make it with `dvc repro`"),
    ):
        with pytest.raises(StageformerError, match=rf"^workspace: there is no {path}; {message}"):
            workspace.read_json(path)
    (copy / ".dvc/config").write_text("['remote \"store\"']\n    url = /nowhere\n")
    with pytest.raises(StageformerError, match="`dvc pull` fetches it from the remote store, or `dvc repro` makes it"):
        workspace.read_json("data/encode/a")


def test_json_names_its_place(repository):
    experiment = Experiment.open("HEAD", repository)
    with pytest.raises(StageformerError, match=r"^HEAD: text: not readable as JSON"):
        experiment.read_json("text")
    with pytest.raises(StageformerError, match=r"^HEAD: there is no none"):
        experiment.read_json("none")


def test_folders_are_read_without_importing_dvc(repository):
    code = (
        "import sys; from pathlib import Path; from stageformer.experiments.experiment import Experiment;"
        "Experiment.open('workspace', Path()).read_bytes('text'); sys.exit('dvc' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], cwd=repository, env=environment, check=True)
