"""What options of the command line take from the parameter classes."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from stageformer.commands.options import Number, Option, Parameter


@click.command()
@click.option("--beam-size", type=Parameter("translate.beam_size"))
@click.option("--dropout", type=Parameter("train_decoder.residual_dropout"))
@click.option("--form", type=Parameter("evaluate.bleu_tokenize"))
@click.option("--heat", type=Number(float, 0.5, 2))
def command(**values: object) -> None:
    click.echo(str({name: value for name, value in values.items() if value is not None}))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("beam-size", "3", "{'beam_size': 3}"),
        ("dropout", "0", "{'dropout': 0.0}"),
        ("form", "13a", "{'form': '13a'}"),
        ("heat", "2", "{'heat': 2.0}"),
    ],
)
def test_a_value_that_the_parameter_may_have(option: str, value: str, expected: str) -> None:
    assert CliRunner().invoke(command, [f"--{option}", value]).stdout.strip() == expected


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("beam-size", "0", "0 is not in the range from 1 to 1000"),
        ("beam-size", str(2**70), f"{2**70} is not in the range from 1 to 1000"),
        ("beam-size", "1.5", "'1.5' is not a whole number"),
        ("dropout", "nan", "nan is not in the range from 0 to 0.95"),
        ("dropout", "much", "'much' is not a number"),
        ("form", "13b", "'13b' is not one of '13a', "),
        ("heat", "inf", "inf is not in the range from 0.5 to 2"),
    ],
)
def test_any_other_value_is_one_line(option: str, value: str, message: str) -> None:
    result = CliRunner().invoke(command, [f"--{option}", value])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: Invalid value for '--{option}': {message}")


def test_help_names_the_choices() -> None:
    assert "--form [13a|intl|" in CliRunner().invoke(command, ["--help"]).stdout


def test_the_list_of_commands_does_not_wait_for_the_parameter_classes() -> None:
    script = "import sys, stageformer.cli; print([name for name in ('pydantic', 'torch') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@click.command()
@click.option("--sample", is_flag=True)
@click.option("--score")
@click.option("--top-k", cls=Option, needs="--sample", type=int, default=0)
@click.option("--nbest", cls=Option, excludes=("--score",), type=int)
def together(**values: object) -> None:
    click.echo(str(values["top_k"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top-k", "3"], "--top-k has no effect without --sample; leave it out"),
        (["--top-k", "0"], "--top-k has no effect without --sample; leave it out"),
        (["--score", "x", "--nbest", "2"], "--nbest has no effect beside --score; leave one of them out"),
        (["--nbest", "2", "--score", "x"], "--nbest has no effect beside --score; leave one of them out"),
    ],
)
def test_an_option_without_an_effect_is_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(together, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--sample"], ["--sample", "--top-k", "0"], ["--nbest", "2"], ["--score", "x"]]
)
def test_an_option_with_an_effect_is_taken(arguments: list[str]) -> None:
    assert CliRunner().invoke(together, arguments).stdout == "0\n"
