"""A mistake in a parameter file names the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stageformer.cli import main

DEFAULT = Path(__file__).parents[2] / "recipes/default.yaml"


@pytest.mark.parametrize(
    ("found", "instead", "message"),
    [
        ("  beam_size: ", "  beam_sise: ", "unknown key translate.beam_sise (did you mean 'beam_size'?)"),
        (
            "  split: test", "  split: tset",
            "translate.split is 'tset' (did you mean 'test'?); allowed: train, valid, test",
        ),
        ("  split: test", "  split:", "translate.split must be a text, found null"),
        ("    train: []", "    train: [one, null]", "ingest.files.train[1] must be a text, found null"),
        ("  shared: true", "  shared: yes", "vocab.shared must be true or false, found 'yes'"),
    ],
)  # fmt: skip
def test_the_line_of_a_mistake(tmp_path: Path, found: str, instead: str, message: str) -> None:
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines) if line.startswith(found))
    lines[number] = lines[number].replace(found, instead)
    file = tmp_path / "mine.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    result = CliRunner().invoke(main, ["check", "--params", str(file)])
    assert result.exit_code == 2
    assert result.stderr == f"error: {file}, line {number + 1}: {message}\n"


def test_a_missing_parameter_is_missed_at_its_group_and_a_missing_group_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = DEFAULT.read_text(encoding="utf-8")
    line = text.splitlines().index("vocab:") + 1
    for left_out, message in (("  shared: true", f", line {line}: vocab.shared is missing ("), ("vocab:", None)):
        file.write_text("\n".join(line for line in text.splitlines() if not line.startswith(left_out)))
        result = CliRunner().invoke(main, ["check", "--params", str(file)])
        assert result.stderr.startswith(f"error: {file}{message or ''}")


def test_a_parameter_file_that_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check", "--params", str(tmp_path / "missing")])
    assert (result.exit_code, result.stderr) == (2, f"error: {tmp_path / 'missing'}: no such file\n")
