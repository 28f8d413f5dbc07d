"""The command ``stageformer completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from stageformer.commands.program import command
from stageformer.console.output import echo

NAME = "stageformer"
_SHELLS = ("bash", "fish", "zsh")


_INSTALLATION = """\b
bash  echo 'eval "$(stageformer completion bash)"' >> ~/.bashrc
zsh   echo 'eval "$(stageformer completion zsh)"' >> ~/.zshrc
fish  stageformer completion fish > ~/.config/fish/completions/stageformer.fish
"""


@command(epilog=_INSTALLATION)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options with the tab key."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    echo(shell_class(context.find_root().command, {}, NAME, f"_{NAME.upper()}_COMPLETE").source())
