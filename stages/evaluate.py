"""Translate a split by greedy and beam search, score the translations, and draw the attention.

Example::

    python -m stages.evaluate

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/encode/, data/train_decoder/model.pt
Writes: data/evaluate/translations.parquet     id, source, references, translation, greedy, scores
        reports/evaluate/metrics.json          scores of beam, greedy and the copied source; perplexity; signatures
        reports/evaluate/by_length.csv         scores of beam search by words of the source
        reports/evaluate/attention/*.png       three pictures for each of some sentences
        reports/evaluate/environment.json      machine and versions
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import click

from stageformer.artifacts import atomic_file, read_table, write_json, write_table
from stageformer.cost import write_cost
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.forced import log_probabilities, perplexity
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Hypothesis
from stageformer.decoding.sources import EncodedSources, Sources, StoredSources
from stageformer.decoding.text import rules_for, target_text
from stageformer.environment import write_environment
from stageformer.errors import StageformerError
from stageformer.figures.evaluation import Sentence, choose_sentences, draw_attention
from stageformer.memory import MemoryStore
from stageformer.model_files import load_model
from stageformer.params.compute import Compute
from stageformer.params.evaluate import Evaluate
from stageformer.scoring.lengths import by_length
from stageformer.scoring.metrics import Scorer
from stageformer.scoring.report import Translations, metrics, table
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.device import prepare
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
@click.option("--output", type=_FOLDER, default="data/evaluate", help="Folder for the translations.")
@click.option("--reports", type=_FOLDER, default="reports/evaluate", help="Folder for metrics and pictures.")
@friendly
def main(
    params_path: Path, ingest: Path, tokenizer: Path, vocab: Path, memory: Path, model_path: Path, output: Path,
    reports: Path,
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
        vocabularies.target, max_length_ratio=params.max_length_ratio, max_length_offset=params.max_length_offset
    )

    def translate(search: Search, title: str) -> list[Hypothesis]:
        started = time.perf_counter()
        found = translate_corpus(sources, search, params.batch_tokens, f"evaluate: {title}")
        speed = len(found) / (time.perf_counter() - started)
        print(f"evaluate: {title}: {speed:,.0f} sentences/s", file=sys.stderr)
        return found

    by_greedy = translate(partial(greedy, model.decoder, rules=rules), "greedy search")
    beam = partial(
        beam_search, model.decoder, rules=rules, beam_size=params.beam_size, length_penalty=params.length_penalty
    )
    by_beam = translate(beam, f"beam of {params.beam_size}")
    of_references = log_probabilities(
        model.decoder, sources, rows["target_ids"], params.batch_tokens, "evaluate: perplexity"
    )

    to_text = partial(target_text, tokenizer=tokenizers.target, vocabulary=vocabularies.target)
    translations = Translations(
        ids=rows["id"],
        sources=sentences["source"],
        references=sentences["references"],
        beam=[to_text(hypothesis.ids) for hypothesis in by_beam],
        beam_scores=[hypothesis.score for hypothesis in by_beam],
        greedy=[to_text(hypothesis.ids) for hypothesis in by_greedy],
    )
    new_scorer = partial(Scorer, lowercase=params.lowercase, bleu_tokenize=params.bleu_tokenize)
    scorer = new_scorer(translations.references)
    write_table(output / "translations.parquet", "translations", [table(translations, scorer)])
    scores = {"split": params.split, "perplexity": round(perplexity(of_references, rows["target_ids"]), 4)}
    write_json(reports / "metrics.json", scores | metrics(translations, scorer))
    with atomic_file(reports / "by_length.csv") as file:
        file.write(by_length(translations, new_scorer).encode())
    drawn = [
        Sentence(
            id=rows["id"][row],
            source_ids=rows["source_ids"][row],
            source_tokens=vocabularies.source.to_tokens(rows["source_ids"][row]),
            translation_ids=by_beam[row].ids,
            translation_tokens=vocabularies.target.to_tokens(by_beam[row].ids),
            source=translations.sources[row],
            translation=translations.beam[row],
            reference=translations.references[row][0],
        )
        for row in choose_sentences([len(ids) for ids in rows["source_ids"]], params.num_pictures)
    ]
    draw_attention(model, vocabularies.target, drawn, reports / "attention")
    write_environment(reports, compute)
    write_cost(reports)


if __name__ == "__main__":
    main()
