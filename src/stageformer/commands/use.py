"""The command ``stageformer use``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import params_option, root_option
from stageformer.errors import friendly


@click.command()
@click.argument("name", required=False)
@params_option
@click.option(
    "--recipes",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the recipes. Default: recipes/ of the repository.",
)
@root_option
@friendly
def use(name: str | None, params: Path | None, recipes: Path | None, root: Path | None) -> None:
    """Replace the parameter file with the recipe NAME and show what changed; without NAME, list the recipes.

    A recipe is a file recipes/NAME.yaml that holds the parameters in which it differs from the default.
    `stageformer use default` goes back.
    """
    from stageformer.params import recipes as library
    from stageformer.params.root import find_root

    params = params or find_root(root) / "params.yaml"
    recipes = recipes or find_root(root) / "recipes"
    if name is None:
        names = library.list_recipes(recipes)
        width = max(map(len, names))
        for recipe, description in names.items():
            click.echo(f"{recipe:{width}}  {description}")
        return
    applied = library.use(name, params, recipes)
    for difference in applied.differences:
        click.echo(str(difference))
    if not applied.differences:
        click.echo(f"{params}: nothing to change, it holds the recipe {name!r} already")
    if applied.differences and applied.lost:
        click.echo(f"Lost, set by hand on top of {applied.nearest!r} and in no recipe:")
        for difference in applied.lost:
            click.echo(f"  {difference.key}: {library.show(difference.new)}")
