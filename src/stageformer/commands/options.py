"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from stageformer.params.root import find_root

F = TypeVar("F", bound=Callable[..., Any])


class Number(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A number with a lowest and a highest value, inclusive. Click's ranges let NaN through."""

    def __init__(self, kind: type[int] | type[float], low: float, high: float) -> None:
        self.kind, self.low, self.high = kind, low, high
        self.name = "integer" if kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.ParamType`."""
        try:
            number = self.kind(value)
        except ValueError:
            self.fail(f"{value!r} is not a {'whole ' if self.kind is int else ''}number", param, ctx)
        if not self.low <= number <= self.high:  # which NaN is not
            self.fail(f"{value} is not in the range from {self.low} to {self.high}", param, ctx)
        return number


class Output(click.Path):
    """A file that a command writes, or a folder for files. Whether that can be done is checked before the work."""

    def __init__(self, *, is_folder: bool = False) -> None:
        super().__init__(path_type=Path)
        self.is_folder = is_folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.ParamType`. Raises StageformerError when it cannot be written."""
        from stageformer.artifacts.files import check_writable

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        check_writable(path, is_folder=self.is_folder)
        return path


class Parameter(click.ParamType):  # type: ignore[type-arg]
    """A value that a parameter of ``params.yaml`` may have: its choices or its limits are those of its class.

    The class is imported when a value is given, not for every ``--help``.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.name = "value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See :class:`click.ParamType`."""
        return self._type().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """See :class:`click.ParamType`."""
        return self._type().get_metavar(param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """See :class:`click.ParamType`."""
        return self._type().shell_complete(ctx, param, incomplete)

    def _type(self) -> click.ParamType[Any]:
        from stageformer.params.base import choices, limits, value_type
        from stageformer.params.groups import field_at

        field = field_at(self.key)
        if choices(field):
            return click.Choice(choices(field))
        return Number(value_type(field), *limits(field))


class Option(click.Option):
    """An option that is refused where it would have no effect.

    Args:
        needs: another option, such as ``--sample``, without which this one has no effect.
        excludes: other options, beside which this one has no effect.
    """

    def __init__(self, *args: Any, needs: str = "", excludes: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.needs, self.excludes = needs, excludes

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """See :class:`click.Parameter`. Raises UsageError where the option was given and has no effect."""
        handled = super().handle_parse_result(ctx, opts, args)
        given = {
            name for parameter in ctx.command.params if _is_given(opts, parameter) for name in parameter.opts
        }
        if not given.isdisjoint(self.opts):
            if self.needs and self.needs not in given:
                raise click.UsageError(f"{self.opts[0]} has no effect without {self.needs}; leave it out", ctx)
            if beside := [name for name in self.excludes if name in given]:
                raise click.UsageError(f"{self.opts[0]} has no effect beside {beside[0]}; leave one of them out", ctx)
        return handled


def _is_given(opts: Mapping[str, Any], parameter: click.Parameter) -> bool:
    """Whether the command line names an option; click marks what it does not with a value of its own, or leaves it."""
    value = opts.get(parameter.name or "")
    return isinstance(parameter, click.Option) and type(value) in (str, bool, int, tuple, list) and value != ()


root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the repository. Default: the current folder, or the nearest above it that is one.",
)
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that `stageformer export` wrote. Default: what the pipeline of the repository made.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
params_option = click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parameter file. Default: params.yaml of the repository.",
)


def model_folder(model: Path | None, root: Path | None) -> Path:
    """Return the folder that `--model` names, or the root of the repository.

    Raises:
        UsageError: both options are given.
        StageformerError: as :func:`find_root`.
    """
    if model is not None and root is not None:
        raise click.UsageError("give --model or --root, not both")
    return model or find_root(root)


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return what gives a command several options, in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


sampling_options = _together(
    click.option("--temperature", cls=Option, needs="--sample", type=Number(float, 0.001, 1000), default=1.0,
                 show_default=True, help="Of --sample: below 1, the probable becomes more probable."),
    click.option("--top-k", cls=Option, needs="--sample", type=Number(int, 0, 10**9), default=0, show_default=True,
                 help="Of --sample: draw from so many most probable tokens; 0: from all."),
    click.option("--top-p", cls=Option, needs="--sample", type=Number(float, 1e-9, 1), default=1.0, show_default=True,
                 help="Of --sample: draw from the most probable tokens that make up this probability."),
    click.option("--seed", cls=Option, needs="--sample", type=Parameter("embed.seed"), default=1, show_default=True,
                 help="Of --sample."),
)  # fmt: skip
"""How tokens are drawn, for a command that has ``--sample``."""

search_options = _together(
    click.option("--beam-size", cls=Option, excludes=("--score", "--sample"), type=Parameter("translate.beam_size"),
                 help="Default: translate.beam_size of params.yaml."),
    click.option("--nbest", cls=Option, excludes=("--score",), type=Parameter("translate.beam_size"), metavar="N",
                 help="Show N for each sentence: number of the sentence, score and text."),
    click.option("--sample", cls=Option, excludes=("--score",), is_flag=True, help="Draw them by their probability."),
    sampling_options,
)  # fmt: skip
"""A search: its beam, how many results, and how they are drawn."""

pooling_option = click.option(
    "--how", type=click.Choice(["mean", "max", "cls"]), default="mean", show_default=True,
    help="Mean or largest value over the tokens, or the vector of the first token.",
)  # fmt: skip
"""Ways to pool a memory: those of :data:`stageformer.memory.pooling.HOW`, which imports torch."""
