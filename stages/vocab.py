"""Build the vocabulary from the training split, and map every split to ids.

Example: ``python -m stages.vocab``

Reads:  data/tokenize/tokenizer/, data/tokenize/{train,valid,test}.parquet
Writes: data/vocab/vocabulary.parquet              token, id, count; vocabulary_{source,target}.parquet if not shared
        data/vocab/{train,valid,test}.parquet      id, source_ids (<eos> last), target_ids (<bos> first, <eos> last)
        reports/vocab/metrics.json                 sizes, what was left out and why, coverage and rate of unknown tokens
        reports/vocab/frequencies.csv              occurrences by rank, at most 200 points per side
        reports/vocab/coverage.csv                 share of the training tokens by number of types, likewise
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.engine import worker_pool
from stageformer.params.compute import Compute
from stageformer.params.vocab import Vocab
from stageformer.text.vocab_splits import vocab_splits
from stages.common import stage


@stage("vocab", {"vocab": Vocab}, {"compute.engine": Compute, "compute.threads": Compute}, tokenize="data/tokenize")
def main(params: Vocab, engine: str, workers: int, *, tokenize: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    with worker_pool(engine, workers) as pool:
        vocab_splits(tokenize, output, reports, params, pool)


if __name__ == "__main__":
    main()
