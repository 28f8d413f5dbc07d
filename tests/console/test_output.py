"""What is printed holds no control characters of the data, and every stream may be closed, full or gone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from stageformer.console.output import answer, clean, echo, say, warn

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b[31mred\x1b[0m\n\r\x00\x07\x9b2J\x7f\u2028\u202eright\u2069\udcff läuft 猫"
CLEANED = r"\x1b[31mred\x1b[0m\n\r\x00\x07\x9b2J\x7f\u2028\u202eright\u2069\udcff läuft 猫"


def test_control_characters_are_spelled_out() -> None:
    assert clean(HOSTILE) == CLEANED
    assert clean("a\tb") == r"a\tb"


def test_messages_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    warn(HOSTILE)
    assert capsys.readouterr() == ("", f"{CLEANED}\nwarning: {CLEANED}\n")


def test_layout_stays(capsys: pytest.CaptureFixture[str]) -> None:
    echo("one\n\ttwo\x1b[31m\r")
    echo("> ", err=True, end="")
    assert capsys.readouterr() == ("one\n\ttwo\\x1b[31m\\r\n", "> ")


def test_a_result_is_unchanged_for_a_program_and_cleaned_for_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer("1\t\u202eright")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    answer("1\t\u202eright")
    assert capsys.readouterr().out == "1\t\u202eright\n1\t\\u202eright\n"


def printing(code: str, redirection: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = f"from stageformer.console.net import net\nfrom stageformer.console.output import *\nwith net():\n {code}"
    command = f"{sys.executable} -c '{script}' {redirection}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", **variables},
    )  # fmt: skip


def test_nobody_reads() -> None:
    run = printing('[echo("x" * 1000) for _ in range(10000)]', "| head -1 >/dev/null")
    assert (run.returncode, run.stderr) == (141, "")


def test_closed_streams() -> None:
    run = printing('echo("x")', ">&-")
    assert (run.returncode, run.stderr) == (2, "error: standard output is closed; there is nowhere to write\n")
    run = printing('say("x")', "2>&-")
    assert (run.returncode, run.stderr) == (0, "")


def test_what_the_encoding_of_the_terminal_lacks_is_spelled_out() -> None:
    run = printing('echo("l\\u00e4uft")', "", PYTHONIOENCODING="ascii")
    assert (run.returncode, run.stdout) == (0, "l\\xe4uft\n")


def test_nothing_else_in_the_library_or_a_stage_prints() -> None:
    found = []
    for path in [*(ROOT / "src/stageformer").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        if path.parent.name == "console":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo", "sys.stdout.write"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert [place for place in found if "commands/program.py" not in place] == []
