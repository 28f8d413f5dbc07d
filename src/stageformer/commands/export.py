"""The command ``stageformer export``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Output, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo


@command()
@click.argument("folder", type=Output(is_folder=True))
@click.option("--format", "formats", multiple=True, help="One to copy; may be repeated. Default: all exported.")
@click.option("--license", "license_", metavar="ID", help="Licence of the model, such as apache-2.0.")
@click.option("--data-license", metavar="ID", help="Licence of the corpus.")
@root_option
def export(
    folder: Path, formats: tuple[str, ...], license_: str | None, data_license: str | None, root: Path | None
) -> None:
    """Copy the exported model into FOLDER, ready to be published, with a model card.

    The card holds languages, data, licences, scores, parameters, the commit and the hashes of its inputs. Nothing that
    exists is overwritten. `stageformer translate --model FOLDER` translates with the copy, on any machine.
    """
    from stageformer.export.publish import publish
    from stageformer.params.root import find_root

    copied = publish(find_root(root), folder, formats=formats, license=license_, data_license=data_license)
    echo(f"{folder}: {', '.join(copied)}")
