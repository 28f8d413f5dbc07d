"""Train the tokenizer on the training split, and cut every split into token strings.

Example: ``python -m stages.tokenize``

Reads:  data/ingest/{train,valid,test}.parquet
Writes: data/tokenize/tokenizer/                   config.json; its files in shared/, or in source/ and target/
        data/tokenize/{train,valid,test}.parquet   id, source_tokens, target_tokens
        reports/tokenize/metrics.json              tokens, tokens per word, longest sentence and exact round trips
        reports/tokenize/lengths.csv               sentences by length in tokens
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.engine import worker_pool
from stageformer.params.compute import Compute
from stageformer.params.tokenize import Tokenize
from stages.common import stage


@stage(
    "tokenize", {"tokenize": Tokenize}, {"compute.engine": Compute, "compute.threads": Compute}, ingest="data/ingest"
)
def main(params: Tokenize, engine: str, workers: int, *, ingest: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    from stageformer.text.tokenize_splits import tokenize_splits  # brings Arrow, which `--help` does not need

    with worker_pool(engine, workers) as pool:
        tokenize_splits(ingest, output, reports, params, pool)


if __name__ == "__main__":
    main()
