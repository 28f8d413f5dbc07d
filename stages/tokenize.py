"""Stage ``tokenize``: train the tokenizer on the training split and cut every split into token strings.

    python -m stages.tokenize --input data/ingest --output data/tokenize --reports reports/tokenize

Inputs: ``data/ingest/{train,valid,test}.parquet`` (sentences) and the group ``tokenize`` of ``params.yaml``.
Outputs: ``data/tokenize/tokenizer/`` (``config.json``; ``tokenizer.json`` in ``shared/``, or in ``source/`` and
``target/``), ``data/tokenize/{train,valid,test}.parquet`` (token strings), ``reports/tokenize/metrics.json`` (tokens,
tokens a word, longest sentence and exact round trips of each split and side), ``reports/tokenize/lengths.csv``
(histogram of lengths in tokens) and ``reports/tokenize/environment.json`` (machine and versions).
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.params.tokenize import Tokenize
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.text.tokenize_splits import tokenize_splits
from stages.common import friendly, read_group

_PATH = click.Path(path_type=Path)


@click.command(help="Train the tokenizer and cut every split into token strings.")
@click.option("--params", "params_path", type=_PATH, default=Path("params.yaml"), show_default=True)
@click.option("--input", "input_folder", type=_PATH, default=Path("data/ingest"), show_default=True)
@click.option("--output", type=_PATH, default=Path("data/tokenize"), show_default=True)
@click.option("--reports", type=_PATH, default=Path("reports/tokenize"), show_default=True)
@friendly
def main(params_path: Path, input_folder: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    tokenize_splits(input_folder, output, reports, read_group(params_path, "tokenize", Tokenize))
    write_environment(reports)
    write_cost(reports)


if __name__ == "__main__":
    main()
