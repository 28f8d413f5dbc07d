"""Write the model for other engines, and hold what they translate against our own search.

Example::

    python -m stages.export

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/train_decoder/model.pt, reports/evaluate/metrics.json
Writes: data/export/ctranslate2/, ctranslate2_int8/, huggingface/   those that export.formats names
        data/export/README.md                  the model card
        data/export/card.json                  what it says, for `stageformer export`
        reports/export/metrics.json            size, BLEU and how many greedy translations are ours, a format
        reports/export/differences.json        some of the translations that differ, and how close the call was
        reports/export/speed.json              sentences/s of each engine, unknown to DVC: differs from run to run
        reports/export/environment.json        machine and versions
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import click

from stageformer.artifacts.files import atomic_file, read_json, write_json
from stageformer.artifacts.tables import read_table
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.decoding.rules import rules_for
from stageformer.errors import StageformerError
from stageformer.export.card import card
from stageformer.export.engines import Task
from stageformer.export.facts import NAME, facts
from stageformer.export.formats import compare, write_format
from stageformer.params.compute import Compute
from stageformer.params.evaluate import Evaluate
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.translate import Translate
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.scoring.metrics import Scorer
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stages.common import friendly, read_group

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--params", "params_path", type=_FILE, default="params.yaml", help="The parameters.")
@click.option("--input", "ingest_folder", type=_FOLDER, default="data/ingest", help="Folder of the stage ingest.")
@click.option("--tokenizer", type=_FOLDER, default="data/tokenize/tokenizer", help="The tokenizers.")
@click.option("--vocab", type=_FOLDER, default="data/vocab", help="Folder of the stage vocab.")
@click.option("--model", "model_path", type=_FILE, default="data/train_decoder/model.pt", help="The model.")
@click.option("--scores", type=_FILE, default="reports/evaluate/metrics.json", help="The scores of the model.")
@click.option("--output", type=_FOLDER, default="data/export", help="Folder for the formats.")
@click.option("--reports", type=_FOLDER, default="reports/export", help="Folder for the metrics.")
@friendly
def main(
    params_path: Path, ingest_folder: Path, tokenizer: Path, vocab: Path, model_path: Path, scores: Path, output: Path,
    reports: Path,
) -> None:
    """Write the model for other engines, and hold what they translate against our own search."""
    params = read_group(params_path, "export", Export)
    ingest = read_group(params_path, "ingest", Ingest)
    translate = read_group(params_path, "translate", Translate)
    evaluate = read_group(params_path, "evaluate", Evaluate)
    # All engines are compared on the CPU: it is where exported models are mostly served, and every machine has one.
    compute = dataclasses.replace(read_group(params_path, "compute", Compute), device="cpu")
    prepare(compute)
    if compute.portable:
        os.environ["CT2_FORCE_CPU_ISA"] = "AVX2"
    tokenizers, vocabularies = load_tokenizers(tokenizer), load_vocabularies(vocab)
    model, _ = load_model(model_path)
    for name in params.formats:
        write_format(name, output / name, model, tokenizers, vocabularies)

    split = ingest_folder / f"{translate.split}.parquet"
    sentences = read_table(split, "sentences").to_pydict()
    if not sentences["id"]:
        raise StageformerError(f"{split}: holds no sentences to compare the formats on; choose another split")
    rules = rules_for(
        vocabularies.target, max_length_ratio=translate.max_length_ratio, max_length_offset=translate.max_length_offset
    )
    task = Task(sentences["source"], tokenizers, vocabularies, rules, translate.batch_tokens, compute)
    scorer = Scorer(sentences["references"], lowercase=evaluate.lowercase, bleu_tokenize=evaluate.bleu_tokenize)
    found = compare(params.formats, output, task, sentences["id"], model, vocabularies, scorer)

    write_json(reports / "metrics.json", {"split": translate.split, "sentences": len(task.texts)} | found.metrics)
    write_json(reports / "differences.json", found.examples)
    write_json(reports / "speed.json", {"threads": compute.threads, "sentences_per_second": found.speeds})
    inputs = [model_path, *sorted(tokenizer.rglob("*.json")), *sorted(vocab.glob("vocabulary*.parquet")), split]
    told = facts(
        export=params, ingest=ingest, translate=translate, model=model, tokenizer=tokenizers.source.kind,
        scores=read_json(scores), formats=found.metrics, inputs=inputs,
    )  # fmt: skip
    write_json(output / NAME, told)
    with atomic_file(output / "README.md") as file:
        file.write(card(told, {name: name for name in params.formats}).encode())
    write_environment(reports, compute)
    write_cost(reports)


if __name__ == "__main__":
    main()
