"""Check the whole of ``params.yaml`` before anything runs, and write its JSON Schema for editors.

Every other stage comes after this one: a mistake in any group stops ``dvc repro`` before an output is touched. What it
writes is the same for all parameters that pass, so that it makes nothing run again.

Example: ``python -m stages.check``

Inputs: ``params.yaml``. Outputs: ``data/check/passed.txt``, on which ``ingest`` depends, and
``data/check/params.schema.json``, on which nothing does.
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.params.groups import GROUPS, check
from stageformer.params.schema import json_schema
from stages.common import friendly, read_yaml


@click.command()
@click.option("--params", type=click.Path(path_type=Path), default="params.yaml", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default="data/check", show_default=True)
@friendly
def main(params: Path, output: Path) -> None:
    """Check every parameter and every combination of parameters; write the JSON Schema."""
    # The schema comes first: an editor that shows where the mistake is needs it most when the check fails.
    write_json(output / "params.schema.json", json_schema(GROUPS))
    check(read_yaml(params))
    with atomic_file(output / "passed.txt") as file:
        file.write(b"All parameters are known and allowed.\n")


if __name__ == "__main__":
    main()
