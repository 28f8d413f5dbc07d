"""How every command and every stage is run: under the net, and with usage errors in one line, too."""

from __future__ import annotations

import functools
import sys
from typing import Any

import click

from stageformer.console.net import MISTAKE, net, shortened
from stageformer.console.output import is_unicode, say


class Command(click.Command):
    """A command that ends in one line and an exit code, whatever happens; see :mod:`stageformer.console.net`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises BadParameter for a text that is not UTF-8, which Python keeps as surrogates."""
        left = super().parse_args(ctx, args)
        for parameter in self.get_params(ctx):
            given = ctx.params.get(parameter.name or "")
            for text in given if isinstance(given, tuple | list) else [given]:  # a path may be any bytes
                if isinstance(text, str) and not is_unicode(text):
                    raise click.BadParameter(f"{text!a} is not UTF-8", ctx, parameter)
        return left

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command with the arguments of this process, and exit. See :meth:`click.Command.main`."""
        run: Any = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        with net():
            try:
                sys.exit(run(*args, standalone_mode=False, **extra) or 0)
            except click.exceptions.NoArgsIsHelpError as error:
                click.echo(error.format_message(), err=True)
                sys.exit(MISTAKE)
            except click.ClickException as error:
                context = getattr(error, "ctx", None)
                hint = f"; see `{context.command_path} --help`" if context is not None else ""
                say(f"error: {shortened(error.format_message().rstrip('.'))}{hint}")
                sys.exit(MISTAKE)
            except click.Abort as error:  # click's answer to two errors
                raise error.__cause__ or KeyboardInterrupt() from None


class Group(Command, click.Group):
    """A command that has commands of its own."""


command = functools.partial(click.command, cls=Command)
"""Make a function a :class:`Command`, as :func:`click.command` does."""
group = functools.partial(click.group, cls=Group)
"""Make a function a :class:`Group`."""
