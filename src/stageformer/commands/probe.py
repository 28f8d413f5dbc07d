"""The command ``stageformer probe``."""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.commands.options import Number, Output, json_option, root_option
from stageformer.commands.program import command
from stageformer.console.output import echo
from stageformer.params.root import find_root


@command()
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True,
              help="What the probes are tested on; they learn from train.")
@click.option("--seeds", type=Number(int, 1, 100), default=3, show_default=True,
              help="How often all of it is done, with other examples, control tasks and random encoders.")
@click.option("--examples", type=Number(int, 10, 10**7), default=5000, show_default=True,
              help="Words or texts that a probe learns from, and as many to test it.")
@click.option("--output", type=Output(), help="FILE.png or FILE.svg: the curve over the layers.")
@json_option
@root_option
def probe(
    split: str, seeds: int, examples: int, output: Path | None, as_json: bool, root: Path | None
) -> None:
    """Find out which layer of the encoder knows the labels of the corpus (ingest.labels: one or tags).

    A linear probe learns them from the states of each layer, and from a learned mix of all. Its accuracy is printed
    beside that on a control task with random labels, the difference (selectivity), and that on a random encoder.
    """
    if output is not None and output.suffix not in (".png", ".svg"):
        raise click.UsageError(f"--output {output}: the ending must be .png or .svg")
    from stageformer.probing.probe import probe as probe_repository
    from stageformer.terminal.probed import probed_json, probed_lines

    probed = probe_repository(find_root(root), split=split, seeds=range(1, seeds + 1), most=examples)
    if output is not None:
        from stageformer.figures.probe import draw_probe

        draw_probe(probed, output)
    if as_json:
        echo(probed_json(probed))
        return
    for line in probed_lines(probed):
        echo(line)
