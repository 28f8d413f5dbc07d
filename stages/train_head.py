"""Train a head on the saved memory: the labels of sentences, or of words.

Example: ``python -m stages.train_head``

Reads:  data/ingest/labels/, data/ingest/, data/tokenize/, data/encode/
Writes: data/train_head/head.pt                 the head: weights, shape, labels
        reports/train_head/metrics.json         updates, loss and accuracy on valid, number of weights, mix of layers
        reports/train_head/plots/metrics/       learning curves, a TSV for each
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.device import prepare
from stageformer.compute.processes import launch
from stageformer.heads.examples import read_labelled
from stageformer.heads.files import save_head
from stageformer.heads.task import head_task, layers_of
from stageformer.params.compute import Compute
from stageformer.params.head import Head
from stageformer.params.ingest import Ingest
from stageformer.params.logging import Logging
from stageformer.provenance.fingerprint import training_fingerprint
from stageformer.text.pair import load_tokenizers
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.run import run
from stages.common import stage


@stage(
    "train_head",
    {"head": Head, "ingest.labels": Ingest, "compute": Compute},
    {"logging": Logging},
    ingest="data/ingest",
    tokenize="data/tokenize",
    encode="data/encode",
)
def main(
    params: Head, labels: str, compute: Compute, logging: Logging, *, ingest: Path, tokenize: Path, encode: Path,
    output: Path, reports: Path,
) -> None:
    """Run the stage."""
    launch(compute)
    device = prepare(compute)
    tokenizer = load_tokenizers(tokenize / "tokenizer").source
    splits = {
        split: read_labelled(ingest, tokenize, encode, split, labels, tokenizer) for split in ("train", "valid")
    }
    task, names = head_task(params, splits, device)
    store = splits["train"].store
    inputs = [*(part / f"{split}.parquet" for part in (ingest / "labels", tokenize) for split in splits), encode]
    checkpoints = Checkpoints("train_head", training_fingerprint([params, compute], inputs))

    def save() -> None:
        save_head(output / "head.pt", task.model.cpu(), names, labels, params.threshold, store, layers_of(store))

    run(
        "train_head", task, params.training, compute, logging, device,
        reports=reports, checkpoints=checkpoints, save=save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
