"""Run every sentence through the encoder once and save the output, the memory; under way joint, save none.

Example: ``python -m stages.encode``

Reads:  data/vocab/, data/train_encoder/encoder.pt
Writes: data/encode/{train,valid,test}/memory-*.pt, and data/encode/train-dropout-*/ where copies are asked for;
        data/encode/{train,valid,test}/empty.pt instead, where encoder and decoder are trained together
        reports/encode/metrics.json, environment.json
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.artifacts.header import SPLITS
from stageformer.batching.pairs import open_sources
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.compute.processes import joined, launch
from stageformer.memory.encoding import encode_split, memory_writer
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.memory.store import dropout_copies, dropout_copy, write_empty_memory
from stageformer.memory.writer import check_disk
from stageformer.params.compute import Compute
from stageformer.params.encode import Encode
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "encode",
    {"encode": Encode, "train_encoder.way": TrainEncoder, "compute": Compute},
    vocab="data/vocab",
    encoder="data/train_encoder/encoder.pt",
)
def main(
    params: Encode, way: str, compute: Compute, *, vocab: Path, encoder: Path, output: Path, reports: Path
) -> None:
    """Run the stage."""
    if way == "joint":
        for old in dropout_copies(output):
            shutil.rmtree(old)
        for split in SPLITS:
            write_empty_memory(output / split)
        write_json(reports / "metrics.json", {"bytes": 0})
        return
    launch(compute)
    device = prepare(compute)
    vocabulary = load_vocabularies(vocab).source
    source = EncoderSource(load_model(encoder, "encoder")[0].encoder.to(device), vocabulary.pad_id)
    sentences = {split: open_sources(vocab / f"{split}.parquet", len(vocabulary)) for split in SPLITS}
    # Folder of the memory, split, and number of the copy with dropout (0: without).
    planned = [(output / split, split, 0) for split in SPLITS]
    planned += [(dropout_copy(output, copy), "train", copy) for copy in range(1, params.dropout_copies + 1)]
    writers = [
        memory_writer(folder, sentences[split].ids, sentences[split].lengths, source, params)
        for folder, split, _ in planned
    ]
    needed = sum(writer.required_bytes for writer in writers)
    check_disk(output, needed)
    with joined(compute, device) as processes:
        if processes.is_first:
            for old in set(dropout_copies(output)) - {folder for folder, _, _ in planned}:
                shutil.rmtree(old)
            print(f"encode: the memory takes {needed / 2**20:,.1f} MiB in {output}", file=sys.stderr)
        for writer, (folder, split, copy) in zip(writers, planned, strict=True):
            title = f"encode {folder.name}"
            encode_split(writer, sentences[split], source, params, compute, title, processes, copy)
        if processes.is_first:
            sizes = {
                split: {"sentences": len(table.ids), "tokens": int(table.lengths.sum())}
                for split, table in sentences.items()
            }
            write_json(reports / "metrics.json", sizes | {"d_model": source.width, "bytes": needed})


if __name__ == "__main__":
    main()
