"""The folder of exported formats with its model card, and what is reported about them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from stageformer.artifacts.files import atomic_file, atomic_folder, write_json
from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import read_table
from stageformer.building.model_files import load_model
from stageformer.decoding.search import rules_for
from stageformer.errors import StageformerError
from stageformer.export.card import NAME, ON_THIS_CPU, card, facts
from stageformer.export.comparison import compare
from stageformer.export.formats.base import export_format
from stageformer.export.workload import Workload
from stageformer.params.choices import kinds
from stageformer.params.compute import Compute
from stageformer.params.export import Export
from stageformer.params.ingest import Ingest
from stageformer.params.translate import Translate
from stageformer.scoring.metrics import Scorer
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stageformer.translator.model_folder import FORMAT, save_model_folder

CARD = "README.md"


def export_model(
    params: Export,
    corpus: Ingest,
    search: Translate,
    compute: Compute,
    *,
    lowercase: bool,
    bleu_tokenize: str,
    ingest: Path,
    tokenizer: Path,
    vocab: Path,
    model_path: Path,
    scores: Path,
    output: Path,
    reports: Path,
) -> None:
    """Write a model for other engines, and compare their greedy translations with ours.

    Args:
        params: which formats, and the licences
        corpus: what the model was trained on, for its card
        search: which split is translated, and the limits of the length
        compute: threads of the engines
        lowercase: how BLEU is computed
        bleu_tokenize: likewise
        ingest: folder of the stage ingest
        tokenizer: folder of the tokenizers
        vocab: folder of the stage vocab
        model_path: file of the model
        scores: metrics of the stage evaluate, for the card
        output: gets a folder for each format and one for our own translator, ``README.md`` (the card) and ``card.json``
            (what it says), without the figures that depend on the CPU; it is replaced when all of them are whole
        reports: gets ``metrics.json`` and ``differences.json``, which are the same on every CPU, ``on_this_cpu.json``
            and ``speed.json``

    Raises:
        StageformerError: a format cannot express the model, its package is not installed, an artifact is missing or
            damaged, or the split is empty.
    """
    tokenizers = load_tokenizers(tokenizer)
    vocabularies = load_vocabularies(vocab, tokenizers.parts)
    model, _ = load_model(model_path, vocabularies=vocabularies)
    formats = {name: export_format(name) for name in params.formats}
    split = ingest / f"{search.split}.parquet"
    sentences = read_table(split, "sentences").to_pydict()
    if not sentences["id"]:
        raise StageformerError(f"{split}: holds no sentences to compare the formats on; choose another split")
    # The other engines know no shortest translation.
    rules = dataclasses.replace(rules_for(vocabularies.target, search), min_length_ratio=0.0)
    workload = Workload(sentences["source"], model, tokenizers, vocabularies, rules, search.batch_tokens, compute)
    scorer = Scorer(sentences["references"], lowercase=lowercase, bleu_tokenize=bleu_tokenize)
    inputs = [model_path, *sorted(tokenizer.rglob("*.json")), *sorted(vocab.glob("vocabulary*.parquet")), split]
    with atomic_folder(output, (NAME, CARD, FORMAT, *kinds("stageformer.export.formats"))) as new:
        save_model_folder(new / FORMAT, model=model_path, tokenizers=tokenizer, vocabularies=vocab, params=search)
        for name, its in formats.items():
            its.write(model, tokenizers, vocabularies, new / name)
        found = compare(formats, new, workload, sentences["id"], scorer)
        metrics = {name: {"size_mib": size} for name, size in found.sizes.items()}
        on_this_cpu, examples = {}, {}
        for name, its in formats.items():
            if its.same_on_every_cpu:
                metrics[name] |= found.metrics[name]
                examples[name] = found.examples[name]
            else:
                on_this_cpu[name] = {**found.metrics[name], "examples": found.examples[name]}
        said = facts(
            export=params, ingest=corpus, translate=search, model=model, tokenizer=tokenizers.source.kind,
            scores=read_json(scores), formats=metrics, inputs=inputs,
        )  # fmt: skip
        write_json(new / NAME, said)
        with atomic_file(new / CARD) as file:
            file.write(card(said, {name: name for name in (FORMAT, *params.formats)}).encode())
    write_json(reports / "metrics.json", {"split": search.split, "sentences": len(workload.texts)} | metrics)
    write_json(reports / "differences.json", examples)
    write_json(reports / ON_THIS_CPU, on_this_cpu)
    write_json(reports / "speed.json", {"threads": compute.threads, "sentences_per_second": found.speeds})
