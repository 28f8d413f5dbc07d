"""Whatever goes wrong is one line and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from stageformer.cli import main
from stageformer.commands.program import command
from stageformer.console.net import net
from stageformer.errors import StageformerError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STAGEFORMER_DEBUG")
    monkeypatch.setenv("STAGEFORMER_SCRATCH", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def run(error: BaseException) -> Result:
    @command()
    def fails() -> None:
        raise error

    result = CliRunner().invoke(fails, [])
    assert result.stdout == ""
    return result


def out_of_memory_of_torch() -> RuntimeError:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    return raised.value


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StageformerError("a.txt: no such file"), "a.txt: no such file"),
        (OSError(errno.EACCES, "Permission denied", "a/b"), "a/b: permission denied"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), "b: invalid cross-device link"),
        (OSError(errno.EIO, "Input/output error"), "the operating system says: input/output error"),
        (MemoryError(), "out of memory: "),
        (pa.ArrowMemoryError("malloc of size 1 failed"), "out of memory: "),
        (OSError(errno.ENOMEM, "Cannot allocate memory", "a.parquet"), "out of memory: "),
        (RuntimeError("can't start new thread"), "out of memory: "),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB"), "out of memory: "),
    ],
)
def test_mistakes_and_limits_of_the_machine(error: BaseException, message: str, scratch: Path) -> None:
    result = run(error)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
    assert not scratch.exists()


def test_what_torch_raises_for_want_of_memory_is_recognised() -> None:
    assert run(out_of_memory_of_torch()).stderr.startswith("error: out of memory")


def test_a_fault_has_a_code_and_a_log(scratch: Path) -> None:
    result = run(KeyError("one\ntwo\x1b[31m"))
    (log,) = (scratch / "logs").iterdir()
    assert result.exit_code == 3
    assert result.stderr == (
        rf"error: a fault of Stageformer: KeyError: 'one\ntwo\x1b[31m' [{log.stem}]; the traceback is in {log}: "
        "please report it\n"
    )
    assert "Traceback (most recent call last):" in log.read_text()
    assert "in fails\n" in log.read_text()
    assert f"[{log.stem}]" in run(KeyError("another message")).stderr, "the same fault has the same code"
    assert f"[{log.stem}]" not in run(ValueError("another class")).stderr


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEFORMER_DEBUG", "1")
    lines = run(KeyError("one")).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("error: a fault of Stageformer: KeyError: 'one' [")


def test_a_log_that_cannot_be_written_is_elsewhere(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch.write_text("no folder")
    (scratch.parent / "t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch.parent / "t"))
    assert f"the traceback is in {scratch.parent / 't'}" in run(KeyError("x")).stderr
    monkeypatch.setattr("tempfile.tempdir", "/proc/none")
    assert run(KeyError("x")).stderr.endswith("set STAGEFORMER_DEBUG=1 to see the traceback, and please report it\n")


def test_a_panic_of_a_library_in_rust_is_caught_like_any_fault() -> None:
    class PanicException(BaseException):
        pass

    assert run(PanicException("the world ends")).exit_code == 3


@pytest.mark.parametrize(
    ("package", "extra"), [("matplotlib.figure", "figures"), ("sacrebleu", "scoring"), ("dvc.api", "pipeline")]
)
def test_a_missing_package_of_an_extra_is_one_line_that_says_how_to_install_it(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stageformer.errors.find_spec", lambda name: None)
    result = run(ModuleNotFoundError(f"No module named {package!r}", name=package))
    name = package.partition(".")[0]
    assert result.exit_code == 2
    assert result.stderr == f"error: the package {name} is not installed; run `pip install 'stageformer[{extra}]'`\n"


@pytest.mark.parametrize("name", ["nonsense", None])
def test_another_missing_module_is_a_fault_of_ours(name: str | None) -> None:
    assert run(ModuleNotFoundError("no such module", name=name)).exit_code == 3


def test_an_end_of_file_is_not_taken_for_an_interruption() -> None:
    assert run(EOFError("cut off")).exit_code == 3
    result = run(KeyboardInterrupt())
    assert (result.exit_code, result.stderr.strip()) == (130, "interrupted")


def test_an_exit_code_passes() -> None:
    assert run(SystemExit(1)).exit_code == 1
    with pytest.raises(SystemExit) as left, net():
        sys.exit(7)
    assert left.value.code == 7


def test_a_wrong_option_is_one_line() -> None:
    @command("fails")
    def fails() -> None: ...

    result = CliRunner().invoke(fails, ["--no-such\x1b[31m"])
    assert result.exit_code == 2
    assert result.stderr == "error: No such option '--no-such\\x1b[31m'; see `fails --help`\n"


INTERRUPTING = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "torch.nn":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""
"""A ``sitecustomize`` that sends an interruption in the middle of the import of torch."""


def test_an_interruption_while_a_stage_imports_torch_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    command = [sys.executable, "-m", "stages.embed", "--params", "none"]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr.strip()) == (130, "interrupted")


def programs() -> dict[str, click.Command]:
    """Every command of `stageformer`, those of groups too, and every stage, by what a user types."""
    found: dict[str, click.Command] = {}

    def collect(name: str, one: click.Command) -> None:
        if not isinstance(one, click.Group):
            found[name] = one
            return
        for inner in one.commands.values():
            collect(f"{name} {inner.name}", inner)

    collect("stageformer", main)
    for path in sorted((ROOT / "stages").glob("*.py")):
        if "__main__" in path.read_text(encoding="utf-8"):
            found[f"stages.{path.stem}"] = importlib.import_module(f"stages.{path.stem}").main
    return found


PROGRAMS = programs()


def test_every_program_is_listed() -> None:
    yaml = YAML(typ="safe", pure=True)
    stages = [name for path in ("dvc.yaml", "heads/dvc.yaml") for name in yaml.load(ROOT / path)["stages"]]
    assert {f"stages.{name}" for name in stages} == {name for name in PROGRAMS if name.startswith("stages.")}
    assert len(PROGRAMS) >= 33
    assert {"stageformer memory pool", "stageformer walk", "stageformer heal"} <= PROGRAMS.keys()


def arguments(program: click.Command) -> list[str]:
    """Return values for what a program cannot do without."""
    given: list[str] = []
    for parameter in program.params:
        if parameter.required:
            value = parameter.type.choices[0] if isinstance(parameter.type, click.Choice) else "x"
            given += [*([parameter.opts[0]] if isinstance(parameter, click.Option) else []), str(value)]
    return given


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_net_is_under_every_command_and_every_stage(
    name: str, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its function raises, a program ends as the table in ``console/net.py`` says."""
    program = PROGRAMS[name]
    monkeypatch.chdir(tmp_path)
    errors: dict[BaseException, tuple[int, str]] = {
        ZeroDivisionError("a fault"): (3, "error: a fault of Stageformer: ZeroDivisionError: a fault ["),
        RecursionError("a fault"): (3, "error: a fault of Stageformer: RecursionError: a fault ["),
        OSError(errno.EIO, "Input/output error", "a/b"): (2, "error: a/b: input/output error\n"),
        MemoryError(): (2, "error: out of memory: "),
        StageformerError("a mistake"): (2, "error: a mistake\n"),
        KeyboardInterrupt(): (130, "interrupted\n"),
    }
    for error, (code, message) in errors.items():

        def fails(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(program, "callback", fails)
        chain = [main, *name.split()[1:]] if name.startswith("stageformer") else [program]
        result = CliRunner().invoke(chain[0], [*chain[1:], *arguments(program)])
        assert (result.exit_code, result.stdout) == (code, ""), result.stderr
        said = result.stderr.lstrip("\n")  # a terminal shows ^C, after which click begins a line
        assert said.startswith(message)
        assert said.count("\n") == 1
        if code == 3:
            (log,) = (scratch / "logs").glob("*.log")
            assert f"[{log.stem}]; the traceback is in {log}: please report it\n" in result.stderr
            assert f"{type(error).__name__}: a fault" in log.read_text()
            log.unlink()
