"""Check the whole of ``params.yaml`` before anything runs, and write what code each other stage depends on.

Every other stage comes after this one: a mistake in any group stops ``dvc repro`` before an output is touched. What it
writes changes only with the code of a stage and with the kinds that the parameters choose, so that it makes nothing
else run again.

Example: ``python -m stages.check``

Reads:  params.yaml, src/stageformer/, stages/
Writes: data/check/params.schema.json     the JSON Schema of params.yaml, for editors
        data/check/code/STAGE.txt         md5 and path of each file of ours that the script of the stage can import
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.artifacts.files import write_json
from stageformer.artifacts.stock import stock
from stageformer.building.library_config import check_encoder
from stageformer.commands.program import command
from stageformer.compute.estimate import check_memory
from stageformer.console.output import say
from stageformer.export.check import check_formats
from stageformer.params.groups import Parameters, check
from stageformer.params.messages import naming_file
from stageformer.params.reading import read_yaml
from stageformer.params.render import json_schema
from stageformer.provenance.code import write_manifests
from stageformer.provenance.named_code import named_code
from stageformer.provenance.needs import check_packages
from stageformer.text.cutting import check_cutters

ROOT = Path(__file__).parents[1]


@command()
@click.option("--params", type=click.Path(path_type=Path), default="params.yaml", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default="data/check", show_default=True)
def main(params: Path, output: Path) -> None:
    """Check every parameter and every combination of parameters; write the JSON Schema and the manifests."""
    stock(Path())  # the answers of services in data/, which DVC may remove before the next stage
    # The schema comes first: an editor that shows where the mistake is needs it most when the check fails.
    write_json(output / "params.schema.json", json_schema(Parameters))
    values = read_yaml(params)
    with naming_file(params):
        parameters = check(values)
        check_packages(values)
        check_memory(parameters)
    check_formats(parameters)
    check_encoder(parameters)
    for line in named_code(parameters):
        say(f"check: {line}")
    check_cutters(parameters.tokenize)
    write_manifests(ROOT, values, output / "code")
    if limits := parameters.limits():
        say(f"check: {limits}")


if __name__ == "__main__":
    main()
