import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main

ROOT = Path(__file__).parents[1]


def test_the_version_is_that_of_the_project():
    result = CliRunner().invoke(main, ["--version"])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (result.exit_code, result.stdout) == (0, f"stageformer, version {version}\n")


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_script_for_a_shell_asks_the_program(shell):
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert f"_STAGEFORMER_COMPLETE={shell}_complete" in result.stdout


def test_a_command_is_completed():
    variables = {"_STAGEFORMER_COMPLETE": "bash_complete", "COMP_WORDS": "stageformer trans", "COMP_CWORD": "1"}
    result = CliRunner().invoke(main, env=variables, prog_name="stageformer")
    assert result.stdout == "plain,translate\n"


def test_help_does_not_import_torch():
    code = "import sys; from stageformer.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "pyarrow", "numpy", "dvc", "matplotlib"} & set(run.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["walk"], ["translate"], ["explain"], ["tokenize", "--kind", "char"]])
def test_a_text_that_is_not_utf8_is_refused_in_one_line(arguments):
    command = [sys.executable, "-m", "stageformer.cli", *arguments, b"bad\xff text"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count(b"\n") == 1
    assert rb"'bad\udcff text' is not UTF-8" in run.stderr
