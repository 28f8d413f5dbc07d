"""Score a head on the split test beside baselines, and draw its confusions and its calibration.

Example: ``python -m stages.evaluate_head``

Reads:  data/ingest/labels/, data/ingest/, data/tokenize/, data/encode/, data/train_head/head.pt
Writes: data/evaluate_head/predictions.parquet  id, labels, predicted, probabilities
        reports/evaluate_head/predictions.json  the same without probabilities, for git: a sentence a line
        reports/evaluate_head/metrics.json      scores of the head with intervals, scores of the baselines, calibration
        reports/evaluate_head/labels.csv        scores by label
        reports/evaluate_head/confusion.{csv,png}    which labels are taken for which
        reports/evaluate_head/reliability.{csv,png}  how often predictions of some probability are right
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.device import make_pool, prepare
from stageformer.errors import require
from stageformer.figures.head import draw_confusion, draw_reliability
from stageformer.heads.baselines import baselines
from stageformer.heads.evaluation import evaluate, write_evaluation
from stageformer.heads.examples import check_seen, read_labelled
from stageformer.heads.files import check_memory, load_head
from stageformer.heads.prediction import predict_split
from stageformer.params.compute import Compute
from stageformer.params.head import Head
from stageformer.params.ingest import Ingest
from stageformer.text.pair import load_tokenizers
from stages.common import stage


@stage(
    "evaluate_head",
    {"head": Head, "ingest.labels": Ingest, "compute": Compute},
    ingest="data/ingest",
    tokenize="data/tokenize",
    encode="data/encode",
    head="data/train_head/head.pt",
)
def main(
    params: Head, labels: str, compute: Compute, *, ingest: Path, tokenize: Path, encode: Path, head: Path,
    output: Path, reports: Path,
) -> None:
    """Run the stage."""
    compute = compute.on_cpu()  # A linear layer or two are not worth waking a GPU.
    prepare(compute)
    require("sklearn")
    saved = load_head(head)
    tokenizer = load_tokenizers(tokenize / "tokenizer").source
    train, test = (read_labelled(ingest, tokenize, encode, name, labels, tokenizer) for name in ("train", "test"))
    check_memory(head, saved, test.store)
    if params.unseen_labels == "refuse":
        check_seen(test, "test", saved.labels)
    with make_pool(compute, pieces=compute.threads) as pool:
        predicted = predict_split(saved, test, compute.micro_batch_tokens, pool)
    evaluation = evaluate(saved, predicted, baselines(train, test), "test", saved.labels)
    write_evaluation(evaluation, predicted, output=output, reports=reports)
    names = ["yes", "no"] if labels == "several" else [label.label for label in evaluation.labels]
    draw_confusion(evaluation.confusions, names, reports / "confusion.png")
    draw_reliability(evaluation.bins, evaluation.metrics["calibration_error"], reports / "reliability.png")


if __name__ == "__main__":
    main()
