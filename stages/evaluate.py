"""Translate a split by greedy and beam search, score the translations, and draw the attention.

Example::

    python -m stages.evaluate

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/encode/, data/train_decoder/model.pt,
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

import sys
import time
from functools import partial
from pathlib import Path

import click

from stageformer.artifacts.tables import read_table
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.compute.workers import Workers
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.forced import log_probabilities, perplexity
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Hypothesis, rules_for
from stageformer.decoding.sources import EncodedSources, Sources, StoredSources
from stageformer.errors import StageformerError
from stageformer.figures.embedding import project_embeddings, write_projections
from stageformer.figures.evaluation import Sentence, choose_sentences, draw_attention
from stageformer.figures.learning_curves import read_curves, write_curves
from stageformer.memory.store import MemoryStore
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
@click.option("--memory", type=_FOLDER, default="data/encode", help="Folder of the stage encode.")
@click.option("--model", "model_path", type=_FILE, default="data/train_decoder/model.pt", help="The model.")
@click.option(
    "--training", type=_FOLDER, multiple=True, default=("reports/train_encoder", "reports/train_decoder"),
    help="Report folder of each training stage, the first stage first.",
)
@click.option("--output", type=_FOLDER, default="data/evaluate", help="Folder for the translations.")
@click.option("--reports", type=_FOLDER, default="reports/evaluate", help="Folder for metrics and pictures.")
@friendly
def main(
    params_path: Path, ingest: Path, tokenizer: Path, vocab: Path, memory: Path, model_path: Path,
    training: tuple[Path, ...], output: Path, reports: Path,
) -> None:
    """Translate a split by greedy and beam search, score the translations, and draw the attention."""
    params = read_group(params_path, "evaluate", Evaluate)
    compute = read_group(params_path, "compute", Compute)
    device = prepare(compute)
    tokenizers, vocabularies = load_tokenizers(tokenizer), load_vocabularies(vocab)
    model, metadata = load_model(model_path)
    model.to(device)
    sentences = read_table(ingest / f"{params.split}.parquet", "sentences").to_pydict()
    rows = read_table(vocab / f"{params.split}.parquet", "ids").to_pydict()
    if rows["id"] != sentences["id"]:
        raise StageformerError(f"{vocab}: {params.split}.parquet holds other sentences than {ingest}; run `dvc repro`")
    if not rows["id"]:
        raise StageformerError(f"{ingest}: the split {params.split} holds no sentences to score; choose another split")

    store = MemoryStore(memory / params.split)
    sources: Sources
    if store.fingerprint == metadata["encoder_fingerprint"]:
        sources = StoredSources(store, rows["id"], device)
    else:  # The encoder was trained further, together with the decoder: the memory is that of another one.
        sources = EncodedSources(model.encoder, rows["source_ids"], vocabularies.source.pad_id, device)

    rules = rules_for(
        vocabularies.target, max_length_ratio=params.max_length_ratio, max_length_offset=params.max_length_offset,
        min_length_ratio=params.min_length_ratio,
    )  # fmt: skip
    workers = Workers(compute, pieces=compute.threads)

    def translate(search: Search, title: str) -> list[Hypothesis]:
        started = time.perf_counter()
        found = translate_corpus(sources, search, params.batch_tokens, f"evaluate: {title}", workers)
        speed = len(found) / (time.perf_counter() - started)
        print(f"evaluate: {title}: {speed:,.0f} sentences/s", file=sys.stderr)
        return [best for best, *_ in found]

    by_greedy = translate(partial(greedy, model.decoder, rules=rules, with_scores=False), "greedy search")
    beam = partial(
        beam_search, model.decoder, rules=rules, beam_size=params.beam_size, length_penalty=params.length_penalty,
        length_normalisation=params.length_normalisation, early_stopping=params.early_stopping,
    )  # fmt: skip
    by_beam = translate(beam, f"beam of {params.beam_size}")
    of_references = log_probabilities(
        model.decoder, sources, rows["target_ids"], params.batch_tokens, "evaluate: perplexity", workers
    )
    workers.close()

    to_text = partial(target_text, tokenizer=tokenizers.target, vocabulary=vocabularies.target)
    translations = Translations(
        ids=rows["id"],
        sources=sentences["source"],
        references=sentences["references"],
        beam=[to_text(hypothesis.ids) for hypothesis in by_beam],
        beam_scores=[hypothesis.score for hypothesis in by_beam],
        greedy=[to_text(hypothesis.ids) for hypothesis in by_greedy],
    )
    scores = {"split": params.split, "perplexity": round(perplexity(of_references, rows["target_ids"]), 4)}
    write_scores(
        translations, Settings.of_params(params), scores, output=output, reports=reports, train=ingest / "train.parquet"
    )
    drawn = [
        Sentence(
            id=rows["id"][row],
            source_ids=rows["source_ids"][row],
            translation_ids=by_beam[row].ids,
            source=translations.sources[row],
            translation=translations.beam[row],
            reference=translations.references[row][0],
        )
        for row in choose_sentences([len(ids) for ids in rows["source_ids"]], params.num_pictures)
    ]
    draw_attention(model, vocabularies, drawn, reports / "attention")
    write_projections(project_embeddings(model, vocabularies), reports)
    write_curves(read_curves(training), reports)
    write_environment(reports, compute)
    write_cost(reports)


if __name__ == "__main__":
    main()
