"""The command ``stageformer use``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stageformer.commands.options import params_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo, say

if TYPE_CHECKING:
    from stageformer.params.recipes import Recipe


@command()
@click.argument("names", nargs=-1)
@params_option
@click.option(
    "--recipes",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the recipes. Default: recipes/ of the repository.",
)
@root_option
def use(names: tuple[str, ...], params: Path | None, recipes: Path | None, root: Path | None) -> None:
    """Replace the parameter file with the recipes NAMES and show what changed; without NAMES, list the recipes.

    A recipe is a file recipes/NAME.yaml that holds the parameters in which it differs from the default. Several are
    laid over one another in the order in which they are named: `stageformer use multi30k joint`.
    `stageformer use default` goes back.
    """
    from stageformer.params import recipes as library
    from stageformer.params.differences import show
    from stageformer.params.root import find_root

    params = params or find_root(root) / "params.yaml"
    recipes = recipes or find_root(root) / "recipes"
    if not names:
        known = library.list_recipes(recipes)
        width = max(map(len, known))
        for name, recipe in known.items():
            echo(f"{name:{width}}  {recipe.description}{_goes_with(recipe, known)}")
        return
    applied = library.use(" ".join(names), params, recipes)
    for conflict in applied.conflicts:
        echo(f"note: {conflict}", err=True)
    if applied.conflicts:
        say("Of two recipes, the one that is named later counts.")
    for difference in applied.differences:
        echo(str(difference))
    if not applied.differences:
        echo(f"{params}: nothing to change, it holds {' '.join(names)!r} already")
    if applied.differences and applied.lost:
        echo(f"Lost, set by hand on top of {applied.nearest!r} and in no recipe:")
        for difference in applied.lost:
            echo(f"  {difference.key}: {show(difference.new)}")


def _goes_with(recipe: Recipe, known: Mapping[str, Recipe]) -> str:
    """Return which other recipes a recipe has values for, as the list says it; "" for none."""
    needed = recipe.needs()
    others = [
        name for name, other in known.items()
        if name not in needed and (recipe.mentions(name) or other.mentions(recipe.name))
    ]  # fmt: skip
    parts = [f"only with {' '.join(needed)}"] * bool(needed) + [f"goes with {', '.join(others)}"] * bool(others)
    return f" [{'; '.join(parts)}]" if parts else ""
