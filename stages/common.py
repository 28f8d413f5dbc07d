"""What every stage script does around its one library call.

A script is one function under :func:`stage`, which gives it a command line, its parameters and its paths, reports a
mistake in one line, and afterwards records the machine and the cost of the run.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from stageformer.artifacts.files import check_writable
from stageformer.artifacts.stock import stock
from stageformer.commands.program import Command
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.base import parse
from stageformer.params.messages import naming_file
from stageformer.params.reading import read_yaml
from stageformer.provenance.record import seconds_since_start, write_record

PATH = click.Path(path_type=Path)


def stage(
    name: str, params: Mapping[str, type[Any]], unrecorded: Mapping[str, type[Any]] | None = None, **inputs: str
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function the script of a stage.

    The function gets what ``params`` names, in this order, and by keyword the path of each input, ``output`` and
    ``reports``. Each path is an option of the command line. When the function is done, ``environment.json`` and
    ``cost.json`` are written into ``reports``.

    Args:
        name: of the stage. Its default folders are ``data/NAME`` (``output``) and ``reports/NAME`` (``reports``).
        params: what ``dvc.yaml`` lists as the parameters of the stage, and the class of the group of each: ``GROUP``
            gives the function the group, ``GROUP.NAME`` the value of that parameter.
        unrecorded: further groups, which shape no output: ``dvc.yaml`` does not list them, so that a change of them
            reruns nothing.
        inputs: the default path of each input.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        def run(params_path: Path, **paths: Path) -> None:
            started = seconds_since_start()
            values = read_yaml(params_path)
            with naming_file(params_path):
                groups = {**params, **(unrecorded or {})}
                arguments = {key: _read(values, params_path, key, cls) for key, cls in groups.items()}
            # DVC has removed the outputs of this stage, but not yet those of the stages after it.
            stock(Path())
            for folder in (paths["output"], paths["reports"]):
                check_writable(folder, is_folder=True)
            function(*arguments.values(), **paths)
            if os.environ.get("RANK", "0") == "0":  # of several processes, only the first writes
                write_record(paths["reports"], arguments.get("compute"), started)

        defaults = {**inputs, "output": f"data/{name}", "reports": f"reports/{name}"}
        options: list[click.Parameter] = [_option("params", "params_path", "params.yaml")]
        options += [_option(path.replace("_", "-"), path, default) for path, default in defaults.items()]
        return Command(name, params=options, callback=run, help=_help(function))

    return decorate


def _help(function: Callable[..., None]) -> str:
    """Return the docstring of the script, whose lines click is asked to leave as they are."""
    text = inspect.cleandoc(getattr(inspect.getmodule(function), "__doc__", None) or "")
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))


def _option(option: str, argument: str, default: str) -> click.Option:
    return click.Option([f"--{option}", argument], type=PATH, default=Path(default), show_default=True)


def _read(values: Mapping[str, object], path: Path, key: str, cls: type[Any]) -> Any:
    """Return a group of parameters, or one value of it. Raises StageformerError on any mistake in the group."""
    name, _, parameter = key.partition(".")
    if name not in values:
        raise StageformerError(f"{path}: the group {name} is missing{did_you_mean(name, values)}")
    group = parse(cls, values[name], name)
    return getattr(group, parameter) if parameter else group
