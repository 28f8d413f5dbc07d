import subprocess
import sys

import pytest
from click.testing import CliRunner

from stageformer.commands.report import report
from tests.report.conftest import make_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in the root of a run."""
    make_run(tmp_path / "root")
    monkeypatch.chdir(tmp_path / "root")

    def call(*arguments):
        return CliRunner().invoke(report, list(map(str, arguments)))

    return call


def one_line(result):
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_workspace_is_the_default(run, tmp_path):
    result = run()
    assert result.exit_code == 0
    assert result.stdout == "report.html: 0.1 MiB\n"
    assert "<strong>workspace</strong>" in (tmp_path / "root/report.html").read_text()


def test_two_folders(run, tmp_path):
    make_run(tmp_path / "other", beam_size=8)
    assert run("workspace", tmp_path / "other", "--output", tmp_path / "deep/two.html").exit_code == 0
    assert "translate.beam_size" in (tmp_path / "deep/two.html").read_text()


def test_unknown_experiment(run):
    assert "did you mean 'workspace'" in one_line(run("workspce"))


def test_pipeline_that_has_not_run(run, tmp_path):
    (tmp_path / "root/reports/evaluate/metrics.json").unlink()
    assert "dvc repro" in one_line(run())


@pytest.mark.parametrize("output", ["folder", "params.yaml/report.html"])
def test_output_that_cannot_be_written(run, tmp_path, output):
    (tmp_path / "root/folder").mkdir()
    assert f"{output}: cannot be written" in one_line(run("--output", output))
    assert not list((tmp_path / "root").glob(".*partial"))


def test_three_folders(run, tmp_path):
    for name, bleu in (("other", 21.0), ("third", 19.0)):
        make_run(tmp_path / name, bleu=bleu, model=name)
    assert run("workspace", tmp_path / "other", tmp_path / "third").exit_code == 0
    assert "Differences are to A." in (tmp_path / "root/report.html").read_text()


def test_more_experiments_than_letters_are_too_many(run):
    assert "up to 26 experiments, found 27; `stageformer table`" in one_line(run(*["workspace"] * 27))


def test_a_report_without_pictures_of_the_model_imports_no_torch(tmp_path):
    make_run(tmp_path / "root")
    code = (
        "import sys; from stageformer.commands.report import report; report(standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "root", check=True, capture_output=True)
