"""The command ``stageformer check``."""

from __future__ import annotations

from pathlib import Path

from stageformer.commands.options import params_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo, say


@command()
@params_option
@root_option
def check(params: Path | None, root: Path | None) -> None:
    """Check the parameter file: every key known, every value allowed, all of them possible together and installed.

    Nothing that the file names is run; what the stages would run of it is printed.
    """
    from stageformer.building.library_config import check_encoder
    from stageformer.compute.estimate import check_memory
    from stageformer.export.check import check_formats
    from stageformer.params.groups import check as check_values
    from stageformer.params.messages import naming_file
    from stageformer.params.reading import read_yaml
    from stageformer.params.root import find_root
    from stageformer.provenance.named_code import named_code
    from stageformer.provenance.needs import check_packages
    from stageformer.text.cutting import check_cutters

    params = params or find_root(root) / "params.yaml"
    values = read_yaml(params)
    with naming_file(params):
        parameters = check_values(values)
        check_packages(values)
        check_memory(parameters)
    check_formats(parameters)
    check_encoder(parameters)
    for line in named_code(parameters):
        say(line)
    check_cutters(parameters.tokenize, imports=False)
    echo(f"{params}: all parameters are known and allowed")
