import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main
from stageformer.errors import friendly

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


@pytest.mark.parametrize(
    ("package", "extra"), [("matplotlib.figure", "figures"), ("sacrebleu", "scoring"), ("dvc.api", "pipeline")]
)
def test_a_missing_package_of_an_extra_is_one_line_that_says_how_to_install_it(package, extra, monkeypatch, capsys):
    monkeypatch.setattr("stageformer.errors.find_spec", lambda name: None)

    def command():
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    with pytest.raises(SystemExit) as error:
        friendly(command)()
    assert error.value.code == 2
    name = package.partition(".")[0]
    assert capsys.readouterr().err == (
        f"error: the package {name} is not installed; run `pip install 'stageformer[{extra}]'`\n"
    )


@pytest.mark.parametrize("name", ["nonsense", None])
def test_another_missing_module_is_a_mistake_of_ours(name):
    def command():
        raise ModuleNotFoundError("no such module", name=name)

    with pytest.raises(ModuleNotFoundError):
        friendly(command)()
