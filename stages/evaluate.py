"""Turn what the search found into text, score it, and draw what the model attends to.

Example::

    python -m stages.evaluate

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/train_decoder/model.pt,
        data/translate/hypotheses.parquet, reports/translate/metrics.json,
        reports/train_encoder/plots/metrics/, reports/train_decoder/plots/metrics/
Writes: data/evaluate/translations.parquet     id, source, references, translation, greedy, scores
        reports/evaluate/metrics.json          scores of beam, greedy and the copied source; perplexity; signatures
        reports/evaluate/by_length.csv         scores of beam search by words of the source
        reports/evaluate/by_rarest_word.csv    the same by occurrences in train of the rarest word of the source
        reports/evaluate/attention/*.png       four pictures for each of some sentences
        reports/evaluate/embedding.{csv,png}   the most frequent tokens in two dimensions
        reports/evaluate/learning_curves.{csv,png}  losses of both trainings, one after the other
        reports/evaluate/environment.json      machine and versions
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import click

from stageformer.artifacts.files import read_json
from stageformer.artifacts.tables import read_table
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.errors import StageformerError
from stageformer.figures.embedding import project_embeddings, write_projections
from stageformer.figures.evaluation import Sentence, choose_sentences, draw_attention
from stageformer.figures.learning_curves import read_curves, write_curves
from stageformer.params.compute import Compute
from stageformer.params.evaluate import Evaluate
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.scoring.report import Translations
from stageformer.scoring.settings import Settings
from stageformer.scoring.writing import write_scores
from stageformer.text.conversion import target_text
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stages.common import friendly, read_group

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--params", "params_path", type=_FILE, default="params.yaml", help="The parameters.")
@click.option("--input", "ingest", type=_FOLDER, default="data/ingest", help="Folder of the stage ingest.")
@click.option("--tokenizer", type=_FOLDER, default="data/tokenize/tokenizer", help="The tokenizers.")
@click.option("--vocab", type=_FOLDER, default="data/vocab", help="Folder of the stage vocab.")
@click.option("--model", "model_path", type=_FILE, default="data/train_decoder/model.pt", help="The model.")
@click.option(
    "--hypotheses", type=_FILE, default="data/translate/hypotheses.parquet", help="What the stage translate found."
)
@click.option("--scores", type=_FILE, default="reports/translate/metrics.json", help="The metrics of that stage.")
@click.option(
    "--training", type=_FOLDER, multiple=True, default=("reports/train_encoder", "reports/train_decoder"),
    help="Report folder of each training stage, the first stage first.",
)
@click.option("--output", type=_FOLDER, default="data/evaluate", help="Folder for the translations.")
@click.option("--reports", type=_FOLDER, default="reports/evaluate", help="Folder for metrics and pictures.")
@friendly
def main(
    params_path: Path, ingest: Path, tokenizer: Path, vocab: Path, model_path: Path, hypotheses: Path, scores: Path,
    training: tuple[Path, ...], output: Path, reports: Path,
) -> None:
    """Turn what the search found into text, score it, and draw what the model attends to."""
    params = read_group(params_path, "evaluate", Evaluate)
    compute = read_group(params_path, "compute", Compute)
    prepare(dataclasses.replace(compute, device="cpu"))
    tokenizers, vocabularies = load_tokenizers(tokenizer), load_vocabularies(vocab)
    model, _ = load_model(model_path)
    translated = read_json(scores)
    split = translated["split"]
    sentences = read_table(ingest / f"{split}.parquet", "sentences").to_pydict()
    rows = read_table(vocab / f"{split}.parquet", "ids", ["id", "source_ids"]).to_pydict()
    found = read_table(hypotheses, "hypotheses").to_pydict()
    for path, ids in ((vocab, rows["id"]), (hypotheses, found["id"])):
        if ids != sentences["id"]:
            raise StageformerError(f"{path}: holds other sentences than {ingest}/{split}.parquet; run `dvc repro`")
    source_ids = rows["source_ids"]

    to_text = partial(target_text, tokenizer=tokenizers.target, vocabulary=vocabularies.target)
    translations = Translations(
        ids=found["id"],
        sources=sentences["source"],
        references=sentences["references"],
        beam=[to_text(ids) for ids in found["beam_ids"]],
        beam_scores=found["beam_score"],
        greedy=[to_text(ids) for ids in found["greedy_ids"]],
    )
    write_scores(
        translations,
        Settings.of_params(params),
        {"split": split, "perplexity": translated["perplexity"]},
        output=output,
        reports=reports,
        train=ingest / "train.parquet",
    )
    drawn = [
        Sentence(
            id=found["id"][row],
            source_ids=source_ids[row],
            translation_ids=found["beam_ids"][row],
            source=translations.sources[row],
            translation=translations.beam[row],
            reference=translations.references[row][0],
        )
        for row in choose_sentences([len(ids) for ids in source_ids], params.num_pictures)
    ]
    draw_attention(model, vocabularies, drawn, reports / "attention")
    write_projections(project_embeddings(model, vocabularies), reports)
    write_curves(read_curves(training), reports)
    write_environment(reports, compute)
    write_cost(reports)


if __name__ == "__main__":
    main()
