"""Translate a split by greedy and by beam search, and ask the model how probable the references are.

Example: ``python -m stages.translate``

Reads:  data/vocab/, data/encode/, data/train_decoder/model.pt
Writes: data/translate/hypotheses.parquet      ids and log-probabilities of both searches, log-probability of the target
        reports/translate/metrics.json         split, sentences, tokens of each search, perplexity of the targets
        reports/translate/environment.json     machine and versions
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.artifacts.tables import read_table, write_table
from stageformer.batching.sentences import Sentences
from stageformer.building.model_files import load_model
from stageformer.compute.device import make_pool, prepare
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.forced import log_probabilities, perplexity
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Hypothesis, rules_for
from stageformer.errors import StageformerError
from stageformer.memory.memory import EncodedMemory, Memory, StoredMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.store import find_memory
from stageformer.params.compute import Compute
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "translate",
    {"translate": Translate, "compute": Compute},
    vocab="data/vocab",
    memory="data/encode",
    model_path="data/train_decoder/model.pt",
)
def main(
    params: Translate, compute: Compute, *, vocab: Path, memory: Path, model_path: Path, output: Path, reports: Path
) -> None:
    """Run the stage."""
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    model, metadata = load_model(model_path)
    model.to(device)
    rows = read_table(vocab / f"{params.split}.parquet", "ids").to_pydict()
    if not rows["id"]:
        raise StageformerError(f"{vocab}: the split {params.split} holds no sentences to translate; choose another")

    store = find_memory(memory / params.split, metadata["encoder_fingerprint"])
    memory_of_split: Memory
    if store is not None:
        memory_of_split = StoredMemory(store, rows["id"], device)
    else:  # The encoder was trained together with the decoder: there is no memory of it.
        source = EncoderSource(model.encoder, vocabularies.source.pad_id)
        memory_of_split = EncodedMemory(source, Sentences.of(rows["source_ids"]))

    rules = rules_for(
        vocabularies.target, max_length_ratio=params.max_length_ratio, max_length_offset=params.max_length_offset,
        min_length_ratio=params.min_length_ratio,
    )  # fmt: skip
    pool = make_pool(compute, pieces=compute.threads)

    def translate(search: Search, title: str) -> list[Hypothesis]:
        started = time.perf_counter()
        found = translate_corpus(memory_of_split, search, params.batch_tokens, f"translate: {title}", pool)
        speed = len(found) / (time.perf_counter() - started)
        print(f"translate: {title}: {speed:,.0f} sentences/s", file=sys.stderr)
        return [best for best, *_ in found]

    by_greedy = translate(partial(greedy, model.decoder, rules=rules, with_scores=False), "greedy search")
    beam = partial(
        beam_search, model.decoder, rules=rules, beam_size=params.beam_size, length_penalty=params.length_penalty,
        length_normalisation=params.length_normalisation, early_stopping=params.early_stopping,
    )  # fmt: skip
    by_beam = translate(beam, f"beam of {params.beam_size}")
    of_targets = log_probabilities(
        model.decoder, memory_of_split, rows["target_ids"], params.batch_tokens, "translate: perplexity", pool
    )
    pool.close()

    table = {
        "id": rows["id"],
        "beam_ids": [hypothesis.ids for hypothesis in by_beam],
        "beam_score": [hypothesis.score for hypothesis in by_beam],
        "beam_log_probability": [hypothesis.log_probability for hypothesis in by_beam],
        "greedy_ids": [hypothesis.ids for hypothesis in by_greedy],
        "target_log_probability": of_targets,
    }
    write_table(output / "hypotheses.parquet", "hypotheses", [table])
    metrics = {
        "split": params.split,
        "sentences": len(rows["id"]),
        "beam_tokens": sum(len(hypothesis.ids) for hypothesis in by_beam),
        "greedy_tokens": sum(len(hypothesis.ids) for hypothesis in by_greedy),
        "perplexity": round(perplexity(of_targets, rows["target_ids"]), 4),
    }
    write_json(reports / "metrics.json", metrics)


if __name__ == "__main__":
    main()
