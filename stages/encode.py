"""Run every sentence through the encoder once, and save the output, the memory; under way joint, save none.

Example: ``python -m stages.encode``

Reads:  data/vocab/, data/train_encoder/encoder.pt
Writes: data/encode/{train,valid,test}/memory-*.pt encoder output without padding, in shards
        data/encode/train-dropout-*/memory-*.pt    further encodings of train, where encode.dropout_copies asks for them
        data/encode/answers/                       what a service answered, where one is asked (objective service)
        data/encode/{train,valid,test}/empty.pt    instead of all these, where train_encoder.way is joint
        reports/encode/metrics.json                sentences and tokens by split, width and bytes of the memory
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.artifacts.header import SPLITS
from stageformer.artifacts.tables import check_table
from stageformer.batching.pairs import open_sources
from stageformer.compute.device import prepare
from stageformer.compute.processes import joined, launch
from stageformer.memory.asker import Asker
from stageformer.memory.encoding import encode_splits, open_source
from stageformer.memory.store import write_empty_memories
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode
from stageformer.params.services import AnyService
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "encode",
    {"encode": Encode, "train_encoder.way": TrainEncoder, "compute": Compute},
    {"train_encoder.service": TrainEncoder},  # what of it decides the vectors is in encoder.pt
    vocab="data/vocab",
    encoder="data/train_encoder/encoder.pt",
    cache=".cache",
)
def main(
    params: Encode, way: str, compute: Compute, service: AnyService | None, *, vocab: Path, encoder: Path, cache: Path,
    output: Path, reports: Path,
) -> None:  # fmt: skip
    """Run the stage."""
    if way == "joint":
        write_empty_memories(output)
        write_json(reports / "metrics.json", {"bytes": 0})
        return
    launch(compute)
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    asker = Asker(cache.parent, vocabularies.source, service)
    source = open_source(encoder, vocabularies.source.pad_id, device, vocabularies.parts, params.layers, asker)
    sentences = {}
    for split in SPLITS:
        check_table(vocab / f"{split}.parquet", "ids", vocabularies.parts)
        sentences[split] = open_sources(vocab / f"{split}.parquet", len(vocabularies.source))
    with joined(compute, device) as processes:
        metrics = encode_splits(source, sentences, params, compute, output, processes)
        if processes.is_first:
            write_json(reports / "metrics.json", metrics)


if __name__ == "__main__":
    main()
