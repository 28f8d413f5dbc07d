"""Write the model for other engines, and compare what they translate with our own search.

Example: ``python -m stages.export``

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/train_decoder/model.pt, reports/evaluate/metrics.json
Writes: data/export/stageformer/                   what `stageformer translate --model` reads
        data/export/{ctranslate2,ctranslate2_int8,huggingface}/   those that export.formats names
        data/export/README.md                      the model card
        data/export/card.json                      what it says, for `stageformer export`
        reports/export/metrics.json                size, BLEU and how many greedy translations are ours, by format
        reports/export/differences.json            some of the translations that differ, and how close the call was
        reports/export/on_this_cpu.json            the same of formats that differ from CPU to CPU, unknown to DVC
        reports/export/speed.json                  sentences/s of each engine, unknown to DVC: differs from run to run
"""

from __future__ import annotations

from pathlib import Path

from stageformer.compute.device import prepare
from stageformer.export.folder import export_model
from stageformer.params.compute import Compute
from stageformer.params.evaluate import Evaluate
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.translate import Translate
from stages.common import stage


@stage(
    "export",
    {
        "export": Export,
        "ingest": Ingest,
        "translate": Translate,
        "evaluate.lowercase": Evaluate,
        "evaluate.bleu_tokenize": Evaluate,
        "compute": Compute,
    },
    ingest="data/ingest",
    tokenizer="data/tokenize/tokenizer",
    vocab="data/vocab",
    model="data/train_decoder/model.pt",
    scores="reports/evaluate/metrics.json",
)
def main(
    params: Export, ingest_params: Ingest, translate: Translate, lowercase: bool, bleu_tokenize: str, compute: Compute,
    *, ingest: Path, tokenizer: Path, vocab: Path, model: Path, scores: Path, output: Path, reports: Path,
) -> None:
    """Run the stage."""
    compute = compute.on_cpu()  # It is where exported models are mostly served, and every machine has one.
    prepare(compute)
    export_model(
        params, ingest_params, translate, compute, lowercase=lowercase, bleu_tokenize=bleu_tokenize, ingest=ingest,
        tokenizer=tokenizer, vocab=vocab, model_path=model, scores=scores, output=output, reports=reports,
    )  # fmt: skip


if __name__ == "__main__":
    main()
