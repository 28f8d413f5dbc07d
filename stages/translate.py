"""Translate a split by greedy and by beam search, and compute the probability of the targets.

Example: ``python -m stages.translate``

Reads:  data/vocab/, data/encode/, data/train_decoder/model.pt
Writes: data/translate/hypotheses.parquet          ids and log-probabilities of both searches and of the targets
        reports/translate/metrics.json             split, sentences, tokens of each search, perplexity of the targets
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.artifacts.tables import write_table
from stageformer.batching.pairs import read_pairs
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.decoding.split import translate_split
from stageformer.errors import StageformerError
from stageformer.memory.maker import maker_of
from stageformer.memory.memory import saved_or_encoded
from stageformer.params.compute import Compute
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "translate",
    {"translate": Translate, "compute": Compute},
    vocab="data/vocab",
    encode="data/encode",
    model="data/train_decoder/model.pt",
)
def main(
    params: Translate, compute: Compute, *, vocab: Path, encode: Path, model: Path, output: Path, reports: Path
) -> None:
    """Run the stage."""
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    transformer = load_model(model, vocabularies=vocabularies)[0].to(device)
    most = transformer.decoder.embedding.config.max_length
    pairs = read_pairs(vocab / f"{params.split}.parquet", vocabularies, most)
    if not len(pairs):
        raise StageformerError(f"{vocab}: the split {params.split} holds no sentences to translate; choose another")
    source = maker_of(transformer.encoder, vocabularies.source.pad_id)
    memory = saved_or_encoded(encode / params.split, source, pairs.ids, pairs.source, device)
    found = translate_split(transformer.decoder, memory, list(pairs.target), vocabularies.target, params, compute)
    rows = [found.table(pairs.ids.tolist())]
    write_table(output / "hypotheses.parquet", "hypotheses", rows, vocabularies.parts)
    write_json(reports / "metrics.json", {"split": params.split} | found.metrics())


if __name__ == "__main__":
    main()
