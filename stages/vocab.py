"""Stage ``vocab``: build the vocabulary from the training split and map every split to ids.

    python -m stages.vocab --input data/tokenize --output data/vocab --reports reports/vocab

Inputs: ``data/tokenize/{train,valid,test}.parquet`` (token strings) and the group ``vocab`` of ``params.yaml``.
Outputs: ``data/vocab/vocabulary.parquet``, or ``vocabulary_source.parquet`` and ``vocabulary_target.parquet`` (token,
id, count); ``data/vocab/{train,valid,test}.parquet`` (ids: source ending with <eos>, target beginning with <bos> and
ending with <eos>); ``reports/vocab/metrics.json`` (sizes, what was left out and why, coverage and unknown rate of each
split and side), ``frequencies.csv`` (count by rank) and ``coverage.csv`` (share of the training tokens by number of
types), at most 200 points a side, and ``environment.json`` (machine and versions).
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.params.vocab import Vocab
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.text.vocab_splits import vocab_splits
from stages.common import friendly, read_group

_PATH = click.Path(path_type=Path)


@click.command(help="Build the vocabulary and map every split to ids.")
@click.option("--params", "params_path", type=_PATH, default=Path("params.yaml"), show_default=True)
@click.option("--input", "input_folder", type=_PATH, default=Path("data/tokenize"), show_default=True)
@click.option("--output", type=_PATH, default=Path("data/vocab"), show_default=True)
@click.option("--reports", type=_PATH, default=Path("reports/vocab"), show_default=True)
@friendly
def main(params_path: Path, input_folder: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    vocab_splits(input_folder, output, reports, read_group(params_path, "vocab", Vocab))
    write_environment(reports)
    write_cost(reports)


if __name__ == "__main__":
    main()
