"""Rewrite ``recipes/default.yaml`` from its own values, with the comments and the order of the parameter classes.

Run it after a change of a parameter class (a new parameter must be in ``recipes/default.yaml`` first, with its
value), then ``stageformer use default``.

Example: ``python -m tools.parameters``
"""

from __future__ import annotations

from pathlib import Path

from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.params.groups import Parameters, check
from stageformer.params.reading import read_yaml
from stageformer.params.render import render


@command()
def main() -> None:
    """Rewrite the file and say whether it changed."""
    path = Path("recipes/default.yaml")
    values = read_yaml(path)
    check(values)
    text = render(Parameters, values)
    if path.read_text(encoding="utf-8") == text:
        echo(f"{path}: the comments are up to date")
    else:
        path.write_text(text, encoding="utf-8")
        echo(f"{path}: rewritten; `stageformer use default` brings it to params.yaml")


if __name__ == "__main__":
    main()
